"""MetricsFilter: hosts that report every metric that is weighed."""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone, NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class MetricsFilter(FactsAlone, NoExtraSpecs):
    """Pass hosts that report all metrics named.

    Source: nova.scheduler.filters.metrics_filter, Nova 34.
    """

    wanted: frozenset[str] = frozenset()
    name = "MetricsFilter"
    runs_on_rebuild = False

    def applies(self, asked: RequestClass) -> bool:
        """Look only where a metric is weighed."""
        del asked
        return bool(self.wanted)

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that report them all."""
        del asked
        return hosts.by_metrics(
            lambda metrics: self.wanted.issubset(metric.name for metric in metrics)
        )

    def explain(self, request: BuildRequest) -> str:
        """Name the metrics."""
        del request
        return f"The host does not report all of {', '.join(sorted(self.wanted))}."
