"""JsonFilter: hosts for which a query holds."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from kilonova_operator.domain.scheduling.attributes import (
    STATS,
    has_attribute,
    list_attribute,
    list_stat,
)
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import NoExtraSpecs
from kilonova_operator.domain.scheduling.json_query import Call, Path, parse_query
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_STATS = "stats"


class JsonFilter(NoExtraSpecs):
    """Pass hosts for which the hint query holds.

    Source: nova.scheduler.filters.json_filter, Nova 34.
    """

    name = "JsonFilter"
    runs_on_rebuild = False

    def applies(self, asked: RequestClass) -> bool:
        """Look only where there is a query."""
        return bool(asked.query)

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts for which it holds.

        Raises:
            MalformedQuery: the query means nothing.
        """
        query = parse_query(asked.query) if asked.query else None
        if query is None:
            return hosts.pass_all()
        columns = {path: _list_values(hosts, path) for path in query.list_variables()}
        return _judge_once(query, columns, len(hosts))

    def explain(self, request: BuildRequest) -> str:
        """Quote the query, and name what no host has: it may be misspelt."""
        asked = request.asked.query
        query = parse_query(asked) if asked else None
        paths = dict.fromkeys(query.list_variables()) if query else {}
        unknown = [f"${'.'.join(path)}" for path in paths if not _is_known(path)]
        told = f"No host has {', '.join(unknown)}. " if unknown else ""
        return f"{told}The query {asked} does not hold for the host."


def _is_known(path: Path) -> bool:
    name, *rest = path
    if name == _STATS and len(rest) == 1:
        return rest[0] in STATS
    return not rest and has_attribute(name)


def _list_values(hosts: HostRows, path: Path) -> Sequence[Any]:
    """Return each host's value; None for all where the path leads nowhere."""
    name, *rest = path
    values = None
    if not rest:
        values = list_attribute(hosts, name)
    elif name == _STATS and len(rest) == 1:
        values = list_stat(hosts, rest[0])
    return [None] * len(hosts) if values is None else values


def _judge_once(
    query: Call, columns: Mapping[Path, Sequence[Any]], count: int
) -> BoolArray:
    """Judge each combination of values once."""
    if not columns:
        return np.full(count, query.holds({}))
    judged: dict[Hashable, bool] = {}
    passes = np.zeros(count, np.bool_)
    for row, values in enumerate(zip(*columns.values(), strict=True)):
        key = repr(values)
        if key not in judged:
            judged[key] = query.holds(dict(zip(columns, values, strict=True)))
        passes[row] = judged[key]
    return passes
