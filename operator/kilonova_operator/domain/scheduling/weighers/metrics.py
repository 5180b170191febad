"""MetricsWeigher: prefer hosts by what they report of themselves."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.aggregates import AggregateSet
from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.metrics import HostMetric
from kilonova_operator.domain.scheduling.rows import HostRows

WEIGHT_OF_UNAVAILABLE = -10000.0


@dataclass(frozen=True, slots=True)
class MetricsWeigher(FactsAlone):
    """Metrics times their ratios; a host that lacks one that counts goes to the end.

    Where metrics are required Nova fails the whole request for one host without
    them; here MetricsFilter leaves that host out beforehand, a meant deviation.
    Source: nova.scheduler.weights.metrics, Nova 34.
    """

    multiplier: float = 1.0
    weight_setting: tuple[tuple[str, float], ...] = ()
    weight_of_unavailable: float = WEIGHT_OF_UNAVAILABLE
    name = "MetricsWeigher"
    multiplier_key = "metrics_weight_multiplier"
    sign = 1.0
    minval = None

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return the weighted sum of the metrics."""
        counted = hosts.weigh_metrics(self._add_up)
        # Where the multiplier is 0, a metric that is not there is passed over.
        multipliers = hosts.weigh_aggregates(self._find_multiplier)
        if multipliers.all():
            return counted
        known = hosts.weigh_metrics(self._add_up_known)
        weights: FloatArray = np.where(multipliers == 0.0, known, counted)
        return weights

    def _add_up(self, metrics: tuple[HostMetric, ...]) -> float:
        known = {metric.name for metric in metrics}
        if any(ratio and name not in known for name, ratio in self.weight_setting):
            return self.weight_of_unavailable
        return self._add_up_known(metrics)

    def _add_up_known(self, metrics: tuple[HostMetric, ...]) -> float:
        values = {metric.name: metric.value for metric in metrics}
        total = 0.0
        for name, ratio in self.weight_setting:
            if name in values:
                total += values[name] * ratio
        return total

    def _find_multiplier(self, aggregates: AggregateSet) -> float:
        return aggregates.find_lowest(
            self.multiplier_key, float, of_site=self.multiplier
        )
