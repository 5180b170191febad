"""Members of a group that are placed together: all of them, or none.

::

    members ≥ minMembers? ── no ──> WaitingForMembers, no claim is held meanwhile
      │ yes
    a host for each, as if the former were there already ── none ──> nobody is placed
      │
    claim_all, one transaction ── refused ──> once more, without that host
      │ made
    every member's own reconcile shows what it got

Where more wait than are needed and not all can have a host, the oldest that suffice
get theirs together, and the others one by one. Whichever member is looked at first
does it for all, and is refused for all (``group_looks.py``). Killed anywhere, either
every member has its claim or none has: the next look begins anew.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.placement import Claim, ClaimRequest
from kilonova_operator.domain.refusals import AlreadyPlaced, MemberRefused
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.servers.references import (
    Problem,
    References,
)
from kilonova_operator.domain.servers.super_step import is_placed
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.servers.claiming import Attempt, HostClaimer
from kilonova_operator.services.servers.group_looks import (
    GroupLooks,
    MemberRead,
    Ready,
)
from kilonova_operator.services.servers.group_members import GroupMembers
from kilonova_operator.services.servers.group_refusals import (
    Blamed,
    Refused,
    build_blamed,
    build_overtaken,
    build_waiting,
    is_overtaken,
)

_MOST_TRIES = 3
"""Hosts that may turn out full, per look at the group."""
_MOST_TOGETHER = 1000
"""Members that are placed at once; minMembers is no more. Others follow."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the members: claims of all, or why there are none."""

    claims: Sequence[Claim] = ()
    decision: Decision | None = None
    """Of the Server that was looked at, or of the member that fits nowhere."""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class _Made:
    claims: Sequence[Claim]
    decisions: Mapping[str, Decision]
    """By the Servers' uids."""


@dataclass(slots=True)
class GroupPlacer:
    """Places members of groups with minMembers."""

    members: GroupMembers
    claimer: HostClaimer
    feeds: Feeds
    looks: GroupLooks[Refused]
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(
        default_factory=WeakValueDictionary
    )

    async def place(self, server: Server, found: References) -> Outcome | None:
        """Place all members that wait; None: this one is placed by itself.

        Raises:
            ClaimRefused, one of UNREADABLE: as for one Server.
        """
        group = found.group
        if group is None or group.spec.min_members is None:
            return None
        lock = self._locks.setdefault(group.metadata.uid, asyncio.Lock())
        async with lock:
            if is_placed(await self.claimer.api.find_mapping(server.metadata.uid)):
                return Outcome()  # by another member, while we waited
            return await self._place(Ready(server, found), group)

    async def _place(self, first: Ready, group: ServerGroup) -> Outcome | None:
        alive = self.members.list_alive(group)
        least = group.spec.min_members or 0
        if len(alive) < least:  # nothing to read for: many may wait like this
            return Outcome(problem=build_waiting(group, len(alive), ()))
        own = first.server.metadata.uid
        has_host = self.members.has_host
        hostless = [m for m in alive if m.uid == own or not has_host(m.uid)]
        if len(alive) - len(hostless) >= least:
            return None
        # What is wrong with itself alone must not be told as the group's matter.
        self.claimer.requests.build(first.server, first.found)
        scene = self.looks.see(group, hostless)
        refused = self.looks.find_refused(scene, first.server)
        if refused is None:
            others = [m for m in alive if m.uid != own]
            unplaced = [m for m in others if not await self.members.is_placed(m.uid)]
            placed = len(others) - len(unplaced)
            if placed >= least:
                return None
            reads = await self.members.read_waiting(first, unplaced, group)
            made = await self._claim_read(reads, group, placed=placed)
            if isinstance(made, _Made):
                self.looks.forget(group.metadata.uid)
                self._tell_others(first, reads.values())
                return Outcome(made.claims, made.decisions.get(own))
            self.looks.keep(scene, reads, None if is_overtaken(made) else made)
            refused = made
        return _tell_refused(refused, first.server)

    async def _claim_read(
        self, reads: Mapping[str, MemberRead], group: ServerGroup, *, placed: int
    ) -> _Made | Refused:
        """Claim for all that are ready, or for as many of them as are needed."""
        results = [(read.name, read.result) for read in reads.values()]
        waiting = [member for _, member in results if isinstance(member, Ready)]
        waiting.sort(key=_tell_age)
        needed = (group.spec.min_members or 0) - placed
        if len(waiting) < needed:
            stopped = [f"{n}: {p.reason}" for n, p in results if isinstance(p, Problem)]
            return build_waiting(group, placed + len(waiting), stopped)
        made = await self._claim(waiting[:_MOST_TOGETHER], group, placed=placed)
        if isinstance(made, _Made) or len(waiting) == needed:
            return made
        if isinstance(made, Blamed) and not made.concerns_all:
            uid = made.refused.server.uid
            waiting = [m for m in waiting if m.server.metadata.uid != uid]
        return await self._claim(waiting[:needed], group, placed=placed)

    async def _claim(
        self, waiting: Sequence[Ready], group: ServerGroup, *, placed: int
    ) -> _Made | Refused:
        avoided: dict[str, tuple[str, ...]] = {}
        for _ in range(_MOST_TRIES):
            with ExitStack() as assumed:
                chosen = await self._choose(waiting, avoided, assumed)
                if isinstance(chosen, Decision):
                    return chosen
                requests, decisions = chosen
                try:
                    claims = await self._claim_all(requests, decisions)
                except MemberRefused as refused:
                    if isinstance(refused.refusal, AlreadyPlaced):
                        raise refused.refusal from refused  # who is there has changed
                    if not refused.refusal.another_host_may_do:
                        ready = placed + len(waiting)
                        return build_blamed(refused, group, ready=ready)
                    uid = refused.server.uid
                    avoided[uid] = (*avoided.get(uid, ()), refused.host)
                    continue
            uids = (request.server.uid for request in requests)
            return _Made(claims, dict(zip(uids, decisions, strict=True)))
        return build_overtaken(group)

    async def _choose(
        self,
        waiting: Sequence[Ready],
        avoided: dict[str, tuple[str, ...]],
        assumed: ExitStack,
    ) -> Decision | tuple[list[ClaimRequest], list[Decision]]:
        """Choose a host for each, counting those before it; else the bad decision."""
        requests: list[ClaimRequest] = []
        decisions: list[Decision] = []
        for member in waiting:
            tried = avoided.get(member.server.metadata.uid, ())
            decision, request = await self.claimer.choose(
                member.server,
                member.found,
                Attempt(),
                avoided=tried,
                together=[request.server.uid for request in requests],
            )
            if request is None:
                return decision
            assumed.enter_context(self.claimer.ranking.assumed(request))
            requests.append(request)
            decisions.append(decision)
        if not requests:
            raise ValueError("nobody waits")
        return requests, decisions

    async def _claim_all(
        self, requests: Sequence[ClaimRequest], decisions: Sequence[Decision]
    ) -> Sequence[Claim]:
        duty = self.claimer.duty
        duty.check()
        claims = await self.claimer.api.claim_all(duty.term(), requests)
        for claim in claims:
            self.claimer.ranking.claimed(claim)
        for request, decision in zip(requests, decisions, strict=True):
            uid = request.server.uid
            self.claimer.recorder.keep(uid, request.decision, decision)
        return claims

    def _tell_others(self, first: Ready, reads: Iterable[MemberRead]) -> None:
        for read in reads:
            if isinstance(read.result, Ready) and read.result is not first:
                meta = read.result.server.metadata
                key = Key.of(meta.namespace, meta.name)
                self.feeds.publish_to(Feed(FeedKind.SERVERS), key)


def _tell_age(member: Ready) -> tuple[datetime, str]:
    """Return what puts the oldest first."""
    meta = member.server.metadata
    created = meta.creation_timestamp or datetime.max.replace(tzinfo=UTC)
    return created, meta.name


def _tell_refused(refused: Refused, server: Server) -> Outcome:
    """Say what a refusal means for one of the members.

    Raises:
        ClaimRefused: it is this one's own, or the whole namespace's.
    """
    if isinstance(refused, Decision):
        return Outcome(decision=refused)
    if isinstance(refused, Problem):
        return Outcome(problem=refused)
    own = refused.refused.server.uid == server.metadata.uid
    if own or refused.concerns_all:
        raise refused.refused.refusal.with_traceback(None)
    return Outcome(problem=refused.problem)
