"""The scheduler: all hosts in, a decision out. Pure, and as fast as NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.columns import (
    BoolArray,
    FloatArray,
    HostColumns,
)
from kilonova_operator.domain.scheduling.decision import Decision, Rejected
from kilonova_operator.domain.scheduling.interfaces import Filter, PreFilter, Weigher
from kilonova_operator.domain.scheduling.normalize import normalize_weights
from kilonova_operator.domain.scheduling.request import BuildRequest


class UnsupportedExtraSpec(KilonovaError):
    """A flavor asks for something that no rule here understands."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        super().__init__(
            f"extra spec {', '.join(self.keys)} is not supported here. Use a "
            "flavor without it."
        )


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Pre-filters, filters and weighers, each in its order."""

    prefilters: tuple[PreFilter, ...]
    filters: tuple[Filter, ...]
    weighers: tuple[Weigher, ...]
    host_subset_size: int = 1

    def check_extra_specs(self, extra_specs: Sequence[str]) -> None:
        """Refuse what nobody would act on, rather than ignore it.

        Raises:
            UnsupportedExtraSpec: it names every such key.
        """
        rules: tuple[PreFilter, ...] = (*self.prefilters, *self.filters)
        unknown = [
            key
            for key in sorted(extra_specs)
            if not any(rule.understands(key) for rule in rules)
        ]
        if unknown:
            raise UnsupportedExtraSpec(unknown)

    def select(
        self, hosts: HostColumns, request: BuildRequest, *, random: Random
    ) -> Decision:
        """Sort the hosts that pass everything, best first.

        Every other host counts for the one constraint that it failed first.
        Source: nova.scheduler.manager._get_sorted_hosts, Nova 34.

        Raises:
            UnsupportedExtraSpec: an extra spec has no meaning here.
        """
        self.check_extra_specs(tuple(request.extra_specs))
        left = np.ones(len(hosts), np.bool_)
        rejections: list[Rejected] = []
        for rule in self._rules(request):
            left = _judge(rule, hosts, request, left=left, rejections=rejections)
        order = self._sort(hosts, request, np.flatnonzero(left))
        ranked = self._choose([hosts.hosts[row] for row in order], random)
        return Decision(
            hosts=tuple(ranked),
            cells={host: hosts.cell_of(host) for host in ranked},
            rejections=tuple(rejections),
        )

    def _rules(self, request: BuildRequest) -> Sequence[PreFilter]:
        if request.rebuild:
            kept = tuple(rule for rule in self.filters if rule.runs_on_rebuild)
            return (*self.prefilters, *kept)
        if request.forced_host is not None:
            return self.prefilters
        return (*self.prefilters, *self.filters)

    def _sort(
        self, hosts: HostColumns, request: BuildRequest, rows: np.ndarray
    ) -> Sequence[int]:
        # One host is never weighed: nova.weights.get_weighed_objects, Nova 34.
        if len(rows) <= 1:
            return [int(row) for row in rows]
        score: FloatArray = np.zeros(len(rows))
        for weigher in self.weighers:
            raw = weigher.weigh(hosts, request)[rows]
            scaled = normalize_weights(raw, minval=weigher.minval)
            score += weigher.multiplier * scaled
        return [int(row) for row in rows[np.argsort(-score, kind="stable")]]

    def _choose(self, ranked: list[str], random: Random) -> list[str]:
        """Put one of the best ``host_subset_size`` hosts first."""
        if self.host_subset_size <= 1 or not ranked:
            return ranked
        chosen = random.choice(ranked[: self.host_subset_size])
        return [chosen, *(host for host in ranked if host != chosen)]


def _judge(
    rule: PreFilter,
    hosts: HostColumns,
    request: BuildRequest,
    *,
    left: BoolArray,
    rejections: list[Rejected],
) -> BoolArray:
    if not left.any():
        return left
    passed: BoolArray = left & rule.mask(hosts, request)
    failed = int(np.count_nonzero(left)) - int(np.count_nonzero(passed))
    if failed:
        rejections.append(Rejected(rule.name, failed, rule.explain(request)))
    return passed
