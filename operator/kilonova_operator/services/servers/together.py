"""Members of a group that are placed together: all of them, or none.

::

    members ≥ minMembers? ── no ──> WaitingForMembers, no claim is held meanwhile
      │ yes
    a host for each, as if the former were there already ── none ──> nobody is placed
      │
    claim_all, one transaction ── refused ──> once more, without that host
      │ made
    every member's own reconcile shows what it got

Whichever member is looked at first does it for all. Killed anywhere, either every
member has its claim or none has: the next look begins anew.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakValueDictionary

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.placement import Claim, ClaimRequest
from kilonova_operator.domain.refusals import MemberRefused, QuotaExceeded
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.servers.references import (
    Problem,
    References,
    find_problem,
)
from kilonova_operator.domain.servers.super_step import is_placed
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.informers import BY_GROUP, ServerSummary
from kilonova_operator.services.servers.claiming import Attempt, HostClaimer
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.requests import UNREADABLE
from kilonova_operator.services.servers.unplaced import build_refusal

_MOST_TRIES = 3
"""Hosts that may turn out full, per look at the group."""
_MOST_TOGETHER = 1000
"""Members that are placed at once; minMembers is no more. Others follow."""


class MemberIndex(Protocol):
    """What is needed of the informer of Servers."""

    def by_index(self, name: str, value: Key) -> Sequence[ServerSummary]:
        """Give the Servers that name a group."""
        ...


@dataclass(frozen=True, slots=True)
class _Ready:
    """A member that could be placed now."""

    server: Server
    found: References


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the members: claims of all, or why there are none."""

    claims: Sequence[Claim] = ()
    decision: Decision | None = None
    """Of the Server that was looked at, or of the member that fits nowhere."""
    problem: Problem | None = None


@dataclass(slots=True)
class GroupPlacer:
    """Places members of groups with minMembers."""

    kube: KubeApi
    references: ReferenceReader
    members: MemberIndex
    claimer: HostClaimer
    feeds: Feeds
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
            return await self._place(_Ready(server, found), group)

    async def _place(self, first: _Ready, group: ServerGroup) -> Outcome | None:
        members = self._list_members(group)
        least = group.spec.min_members or 0
        if len(members) < least:  # nothing to read for: many may wait like this
            return Outcome(problem=_say_waiting(group, len(members), ()))
        own = first.server.metadata.uid
        others = [member for member in members if member.uid != own]
        unplaced = [m for m in others if not await self._is_placed(m.uid)]
        placed = len(others) - len(unplaced)
        if placed >= least:
            return None
        waiting, problems = await self._read_waiting(first, unplaced)
        if placed + len(waiting) < least:
            return Outcome(problem=_say_waiting(group, len(waiting), problems))
        return await self._claim(waiting[:_MOST_TOGETHER], group)

    def _list_members(self, group: ServerGroup) -> list[ServerSummary]:
        key = Key.of(group.metadata.namespace, group.metadata.name)
        found = self.members.by_index(BY_GROUP, key)
        alive = (member for member in found if not member.deleting)
        return sorted(alive, key=lambda member: member.name)

    async def _is_placed(self, uid: str) -> bool:
        """Tell whether a member has a host; who has one must not get another.

        What is in memory is empty after a start, and lacks claims whose answer was
        lost.
        """
        if self.claimer.ranking.placements.find_host(uid) is not None:
            return True
        return is_placed(await self.claimer.api.find_mapping(uid))

    async def _read_waiting(
        self, first: _Ready, others: Iterable[ServerSummary]
    ) -> tuple[list[_Ready], list[str]]:
        """Read the others without a host; return what stops some of them, too."""
        ready, problems = [first], []
        for member in others:
            other = await self._read(member)
            if isinstance(other, _Ready):
                ready.append(other)
            elif other is not None:
                problems.append(f"{member.name}: {other.reason}")
        return ready, problems

    async def _read(self, member: ServerSummary) -> _Ready | Problem | None:
        obj = await self.kube.find(Server.resource(), member.namespace, member.name)
        if obj is None or obj["metadata"]["uid"] != member.uid:
            return None
        server = Server.model_validate(obj)
        if not server.metadata.finalizers or server.spec.suspend:
            return None  # its own reconcile holds it first
        found = await self.references.read(server)
        return self._find_problem(server, found) or _Ready(server, found)

    def _find_problem(self, server: Server, found: References) -> Problem | None:
        """Return what stops a member by itself, whichever host it would get."""
        problem = find_problem(server, found)
        if problem is not None:
            return problem
        try:
            self.claimer.requests.build(server, found)
        except UNREADABLE as refused:
            return build_refusal(refused)
        return None

    async def _claim(self, waiting: Sequence[_Ready], group: ServerGroup) -> Outcome:
        avoided: dict[str, tuple[str, ...]] = {}
        for _ in range(_MOST_TRIES):
            with ExitStack() as assumed:
                chosen = await self._choose(waiting, avoided, assumed)
                if isinstance(chosen, Decision):
                    return Outcome(decision=chosen)
                requests, decisions = chosen
                try:
                    claims = await self._claim_all(requests, decisions)
                except MemberRefused as refused:
                    if not refused.refusal.another_host_may_do:
                        return _tell_refusal(refused, waiting, group)
                    uid = refused.server.uid
                    avoided[uid] = (*avoided.get(uid, ()), refused.host)
                    continue
            self._tell_others(waiting)
            return Outcome(claims, decisions[0])
        return Outcome(problem=_say_overtaken(group))

    async def _choose(
        self,
        waiting: Sequence[_Ready],
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

    def _tell_others(self, waiting: Sequence[_Ready]) -> None:
        for member in waiting[1:]:
            meta = member.server.metadata
            key = Key.of(meta.namespace, meta.name)
            self.feeds.publish_to(Feed(FeedKind.SERVERS), key)


def _tell_refusal(
    refused: MemberRefused, waiting: Sequence[_Ready], group: ServerGroup
) -> Outcome:
    """Say of whom a refusal is that no other host would change.

    Raises:
        ClaimRefused: it is the first one's, or the whole namespace's.
    """
    why, member = refused.refusal, refused.server
    own = member.uid == waiting[0].server.metadata.uid
    if own or isinstance(why, QuotaExceeded):
        raise why from refused
    problems = [f"{member.name}: {why.reason}"]
    return Outcome(problem=_say_waiting(group, len(waiting) - 1, problems))


def _say_overtaken(group: ServerGroup) -> Problem:
    return Problem(
        "HostsFilledUp",
        f"Hosts that were chosen for members of ServerGroup {group.metadata.name} "
        "filled up meanwhile. It is tried again by itself.",
        waits=True,
        grace_seconds=float(group.spec.schedule_timeout_seconds),
    )


def _say_waiting(group: ServerGroup, waiting: int, problems: Sequence[str]) -> Problem:
    spec = group.spec
    stopped = f" Others cannot be built: {', '.join(problems)}." if problems else ""
    return Problem(
        "WaitingForMembers",
        f"ServerGroup {group.metadata.name} places its members together, and {waiting} "
        f"of {spec.min_members} are ready.{stopped} Create the others.",
        waits=True,
        grace_seconds=float(spec.schedule_timeout_seconds),
    )
