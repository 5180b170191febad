"""The batch of claims, from the first read to the last insert. Blocking."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.inventory import ProviderView, sort_amounts
from kilonova_operator.domain.placement import Claim, ClaimRequest, NicClaim
from kilonova_operator.domain.quota import Usage
from kilonova_operator.domain.refusals import ClaimRefused, MemberRefused
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement
from kilonova_operator.storage.sql.api.claiming.addresses import (
    AddressBook,
    Given,
    NicAssigner,
)
from kilonova_operator.storage.sql.api.claiming.claim_rows import (
    NewClaim,
    next_generation,
    write_claims,
)
from kilonova_operator.storage.sql.api.claiming.group_rules import GroupBook
from kilonova_operator.storage.sql.api.claiming.numa_book import NumaBook
from kilonova_operator.storage.sql.api.claiming.rooms import Rooms
from kilonova_operator.storage.sql.api.claiming.standings import (
    Standing,
    read_standings,
)
from kilonova_operator.storage.sql.api.claiming.usages import (
    Change,
    UsageBook,
    build_change,
    counted_of,
    usage_of_claim,
)
from kilonova_operator.storage.sql.api.placements import find_claims
from kilonova_operator.storage.sql.api.schema import InstanceMappingRow

Outcome = Claim | ClaimRefused


class NothingClaimed(KilonovaError):
    """Every claim of a batch was refused: there is nothing to commit."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = list(outcomes)
        super().__init__(f"all {len(self.outcomes)} claims were refused")


@dataclass(frozen=True, slots=True)
class Claimer:
    """Makes claims."""

    nics: NicAssigner
    utcnow: Callable[[], datetime]

    def claim(
        self, session: Session, requests: Sequence[ClaimRequest], *, together: bool
    ) -> list[Outcome]:
        """Make claims of different Servers; each is made or refused by itself.

        A request that made its claim before gets that one. ``together``: all are
        made, or none.

        Raises:
            NothingClaimed: none was made; the outcomes tell why.
            MemberRefused: one of those that belong together was not made.
            TransactionLost: another writer was faster.
        """
        standings = read_standings(session, [request.server for request in requests])
        done = _find_done(session, requests, standings)
        batch = _Batch(session, self.nics, standings)
        batch.read([r for r in requests if r.server.uid not in done])
        outcomes: dict[str, Outcome] = dict(done)
        for request in requests:
            if request.server.uid in done:
                continue
            try:
                batch.judge(request)
            except ClaimRefused as refused:
                if together:
                    raise MemberRefused(
                        request.server, request.host, refused
                    ) from refused
                outcomes[request.server.uid] = refused
        if len(outcomes) == len(requests) and not done:
            raise NothingClaimed([outcomes[r.server.uid] for r in requests])
        for claim in batch.write(self.utcnow()):
            outcomes[claim.server.uid] = claim
        return [outcomes[request.server.uid] for request in requests]


@dataclass(slots=True)
class _Accepted:
    """A request that may have what it asks for."""

    request: ClaimRequest
    mapping: InstanceMappingRow | None
    usage: Usage
    nics: Given
    numa: NumaPlacement | None


@dataclass(slots=True)
class _Batch:
    """What was read, what was given, and what is to be written."""

    session: Session
    nics: NicAssigner
    standings: dict[str, Standing]
    accepted: list[_Accepted] = field(default_factory=list)
    demands: dict[str, tuple[Usage, Change]] = field(default_factory=dict)
    """By Server uid: what it will count, and what changes by that."""
    rooms: Rooms = field(init=False)
    usages: UsageBook = field(init=False)
    groups: GroupBook = field(init=False)
    addresses: AddressBook = field(init=False)
    numa: NumaBook = field(init=False)

    def read(self, requests: Sequence[ClaimRequest]) -> None:
        """Read what the requests are judged by.

        The locks come in the same order in every transaction: usage, networks.
        """
        connection = self.session.connection()
        self.demands = {r.server.uid: self._build_demand(r) for r in requests}
        counted = {uid for _, change in self.demands.values() for uid in change}
        self.usages = UsageBook(connection, counted)
        placed = [
            request.server.uid
            for request in requests
            if request.nics and self.standings[request.server.uid].mapping is not None
        ]
        self.addresses = self.nics.open_book(connection, requests, placed=placed)
        self.groups = GroupBook(connection, requests)
        self.rooms = Rooms(connection, requests)
        self.numa = NumaBook(connection, requests)

    def judge(self, request: ClaimRequest) -> None:
        """Give a request what it asks for, or nothing.

        Raises:
            ClaimRefused
        """
        standing = self.standings[request.server.uid]
        standing.check_claimable(request)
        usage, change = self.demands[request.server.uid]
        self.usages.check(request, change)
        self.groups.check(request)
        wanted = self.rooms.check(request)
        numa = self.numa.find_place(request)
        given = self.addresses.assign(request)
        self.usages.add(change)
        self.groups.join(request)
        self.rooms.take(wanted)
        self.numa.take(request, numa)
        self.accepted.append(_Accepted(request, standing.mapping, usage, given, numa))

    def write(self, now: datetime) -> list[Claim]:
        """Write everything that was given; returns the claims."""
        connection = self.session.connection()
        self.usages.write(connection)
        self.groups.swap(connection)
        self.rooms.swap(connection)
        fresh, views = self.addresses.write(), self.rooms.views()
        made = [
            NewClaim(
                request=accepted.request,
                mapping=accepted.mapping,
                usage=accepted.usage,
                claim=self._build_claim(accepted, fresh, views),
            )
            for accepted in self.accepted
        ]
        write_claims(connection, made, id_of=self.rooms.id_of, now=now)
        return [new.claim for new in made]

    def _build_demand(self, request: ClaimRequest) -> tuple[Usage, Change]:
        mapping = self.standings[request.server.uid].mapping
        before = None if mapping is None else counted_of(mapping)
        uid = request.server.namespace_uid or (mapping.namespace_uid if mapping else "")
        usage = usage_of_claim(request)
        return usage, build_change(before, (uid, usage))

    def _build_claim(
        self,
        accepted: _Accepted,
        fresh: Mapping[tuple[str, str], NicClaim],
        views: Mapping[str, ProviderView],
    ) -> Claim:
        request, mapping = accepted.request, accepted.mapping
        own_uuid = request.instance_uuid or request.server.uid
        floor = request.placement_generation_floor
        return Claim(
            server=request.server,
            instance_uuid=own_uuid if mapping is None else mapping.instance_uuid,
            cell=self.rooms.cell_of(request.host),
            host=request.host,
            placement_generation=next_generation(mapping, floor),
            amounts=dict(sort_amounts(request.amounts)),
            nics=tuple(
                given
                if isinstance(given := accepted.nics[nic.name], NicClaim)
                else fresh[request.server.uid, nic.name]
                for nic in request.nics
            ),
            attempt=request.attempt,
            tried_hosts=request.tried_hosts,
            shared={
                name: dict(sort_amounts(amounts))
                for name, amounts in request.shared.items()
            },
            group_uid=request.group.group_uid if request.group else None,
            zone=request.zone,
            numa=accepted.numa,
            provider=views[request.host],
        )


def _find_done(
    session: Session,
    requests: Sequence[ClaimRequest],
    standings: Mapping[str, Standing],
) -> dict[str, Claim]:
    """Return claims that these very requests made before, by Server uid."""
    repeated = [
        request.server.uid
        for request in requests
        if (mapping := standings[request.server.uid].mapping) is not None
        and mapping.request_id == request.request_id
    ]
    return find_claims(session, repeated) if repeated else {}
