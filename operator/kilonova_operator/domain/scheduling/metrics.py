"""Metrics that a host reports of itself."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostMetric:
    """One figure by its name, for example cpu.percent; nova.objects.MonitorMetric."""

    name: str
    value: float


def build_metrics(values: Iterable[HostMetric]) -> tuple[HostMetric, ...]:
    """Return metrics in one order, so that equal ones are equal."""
    return tuple(sorted(values, key=lambda metric: metric.name))
