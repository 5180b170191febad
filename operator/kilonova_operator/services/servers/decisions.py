"""The last decisions about a Server, in full, for admins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kilonova_api.admin import (
    DecisionsAnswer,
    DecisionsRequest,
    FullDecision,
    HostJudgement,
)
from kilonova_operator.domain.placement import DecisionRecord
from kilonova_operator.services.stores import ApiStore

_HOSTS = "hosts"
"""Where a record has every host that was considered."""


@dataclass(frozen=True, slots=True)
class DecisionReader:
    """Reads decisions from the API database."""

    api: ApiStore

    async def answer(self, request: DecisionsRequest) -> DecisionsAnswer:
        """Return the last three decisions, newest first."""
        kept = await self.api.list_decisions(request.uid)
        return DecisionsAnswer(decisions=tuple(_describe(one) for one in kept))


def _describe(kept: DecisionRecord) -> FullDecision:
    record = {name: part for name, part in kept.record.items() if name != _HOSTS}
    return FullDecision(
        decided_at=kept.decided_at,
        outcome=kept.outcome,
        host=kept.host,
        record=record,
        hosts=tuple(_read_hosts(kept.record)),
    )


def _read_hosts(record: Mapping[str, Any]) -> list[HostJudgement]:
    return [HostJudgement.model_validate(host) for host in record.get(_HOSTS, ())]
