"""What one rule says of hosts."""

from kilonova_operator.domain.scheduling.aggregates import (
    AggregateFacts,
    AggregateSet,
    build_aggregate_set,
)
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.interfaces import ClassRule, RequestRule
from kilonova_operator.domain.scheduling.request import BuildRequest
from kilonova_operator.domain.scheduling.rows import HostRows


def passing(
    rule: ClassRule | RequestRule, columns: HostColumns, request: BuildRequest
) -> list[str]:
    """Return the hosts that pass, and check that the rule has something to say."""
    if isinstance(rule, ClassRule):
        mask = rule.mask(HostRows(columns), request.asked)
        if not mask.all():
            assert rule.applies(request.asked), f"{rule.name} would not be asked"
    else:
        verdict = rule.judge(columns, request)
        if verdict is None:
            return list(columns.hosts)
        mask = ~verdict.find_failing(len(columns))
    assert rule.explain(request)
    return [host for host, ok in zip(columns.hosts, mask, strict=True) if ok]


def made_aggregates(*metadata: dict[str, str]) -> AggregateSet:
    """Build one host's aggregates, by their metadata."""
    return build_aggregate_set(
        AggregateFacts(f"agg{number}", tuple(sorted(pairs.items())))
        for number, pairs in enumerate(metadata)
    )
