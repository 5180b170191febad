"""The last decisions about a Server, in full, for admins."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.admin import (
    DecisionsAnswer,
    DecisionsRequest,
    FullDecision,
    HostJudgement,
)
from kilonova_operator.domain.host_records import HostRecord
from kilonova_operator.domain.placement import DecisionRecord
from kilonova_operator.domain.scheduling.host_table import HostTable, HostVerdict
from kilonova_operator.domain.scheduling.roster import MalformedHostRecord, Roster
from kilonova_operator.services.servers.host_recorder import HOSTS_NOT_KEPT
from kilonova_operator.services.stores import ApiStore

_CONSIDERED = "hostsConsidered"
"""What a record has that is of a choice of hosts, not of an obstacle before it."""
_NOT_THERE = (
    "they are written a moment after the decision: ask again. If they stay away, the "
    "operator ended before it wrote them, or a newer decision about this Server took "
    "their room"
)


@dataclass(frozen=True, slots=True)
class DecisionReader:
    """Reads decisions from the API database."""

    api: ApiStore

    async def answer(self, request: DecisionsRequest) -> DecisionsAnswer:
        """Return the last three decisions, newest first."""
        kept = await self.api.list_decisions(request.uid)
        hosts = await self.api.list_hosts_kept(request.uid)
        # Of many hosts it takes a while, and others wait to be placed.
        told = await asyncio.to_thread(_describe_all, kept, hosts, most=request.hosts)
        return DecisionsAnswer(decisions=told)


def judge(verdict: HostVerdict) -> HostJudgement:
    """Return what was said of one host as admins get it."""
    if verdict.failed is not None:
        return HostJudgement(host=verdict.host, failed=verdict.failed)
    weights = dict(verdict.weights)
    return HostJudgement(host=verdict.host, weights=weights, total=verdict.total)


def _describe_all(
    kept: Sequence[DecisionRecord], hosts: Sequence[HostRecord], *, most: int
) -> tuple[FullDecision, ...]:
    by_moment = {record.decided_at: record for record in hosts}
    return tuple(_describe(decision, by_moment, most=most) for decision in kept)


def _describe(
    kept: DecisionRecord, hosts: Mapping[datetime, HostRecord], *, most: int
) -> FullDecision:
    record = {k: part for k, part in kept.record.items() if k != HOSTS_NOT_KEPT}
    told = FullDecision(
        decided_at=kept.decided_at, outcome=kept.outcome, host=kept.host, record=record
    )
    found = hosts.get(kept.decided_at) if kept.decided_at else None
    if found is None:
        missing = kept.record.get(HOSTS_NOT_KEPT, _NOT_THERE)
        chosen = _CONSIDERED in record
        return told.model_copy(update={"hosts_not_kept": missing if chosen else None})
    try:
        table = HostTable.unpack(found.table, Roster.unpack(found.roster.body))
    except MalformedHostRecord as malformed:
        unread = f"what the database has of them cannot be read: {malformed}"
        return told.model_copy(update={"hosts_not_kept": unread})
    verdicts = table.list_verdicts(most)
    shown = {
        "hosts": tuple(judge(verdict) for verdict in verdicts),
        "hosts_not_shown": len(table) - len(verdicts),
    }
    return told.model_copy(update=shown)
