"""Every weigher's scale, its multipliers, and the order of hosts they make."""

from collections.abc import Mapping, Sequence
from random import Random

import numpy as np

from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.normalize import normalize_weights
from kilonova_operator.domain.scheduling.options import (
    DEFAULT_WEIGHERS,
    SchedulingOptions,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.rules import WEIGHERS, build_metrics_filter
from kilonova_operator.domain.scheduling.scheduler import Scheduler, SchedulingRules
from kilonova_operator.domain.scheduling.weights import RawWeights
from parity.cloud import draw_cloud
from parity.cloud_columns import build_columns, build_options, build_request
from parity.cloud_request import draw_options, draw_request
from parity.oracle_client import Answer, Case
from parity.topic import Judgement

REQUIRED_METRIC = "host-without-required-metric-is-left-out"
"""One such host fails Nova's whole request; here it is filtered beforehand."""
_CONSTANT = frozenset({"CrossCellWeigher", "PCIWeigher"})
"""Without moves and devices they score 0 for every host."""


class WeighersTopic:
    """Compares scores as exact numbers."""

    name = "weighers"

    def draw(self, random: Random) -> Case:
        """Make up a cloud, a request, a site's options and an order of weighers."""
        cloud = draw_cloud(random)
        weighers = list(DEFAULT_WEIGHERS)
        random.shuffle(weighers)
        return {
            "cloud": cloud,
            "request": draw_request(random, cloud),
            "options": draw_options(random),
            "weighers": weighers,
        }

    def judge(self, case: Case, answer: Answer) -> Judgement:
        """Compare scale by scale, then the order."""
        if "error" in answer:
            return Judgement(differences=[answer["error"]])
        options = build_options(case["options"], weight_classes=tuple(case["weighers"]))
        columns = build_columns(case["cloud"])
        request = build_request(case["cloud"], case["request"])
        if "raised" in answer:
            return _judge_refusal(answer["raised"], options, columns)
        rules = SchedulingRules(
            prefilters=(),
            filters=(),
            weighers=tuple(WEIGHERS[name](options) for name in case["weighers"]),
        )
        differences: list[str] = []
        outcomes: list[str] = []
        raw = RawWeights(columns, rules.weighers)
        raw.refresh()
        for number, weigher in enumerate(rules.weighers):
            scores = _scale(raw, number, request, len(columns))
            differences += _compare(
                f"{weigher.name}", scores, answer["normalized"][weigher.name]
            )
            multipliers = np.broadcast_to(raw.multiplier(number), len(columns)).tolist()
            differences += _compare(
                f"multiplier of {weigher.name}",
                multipliers,
                answer["multipliers"][weigher.name],
            )
            parted = len(set(scores)) > 1
            outcomes.append(f"{weigher.name} {'parts hosts' if parted else 'is even'}")
        order = Scheduler(rules, columns, random=Random(0)).rank(request)
        if order != answer["order"]:
            differences.append(f"order {order}, Nova {answer['order']}")
        if order != columns.hosts:
            outcomes.append("hosts change their order")
        return Judgement(differences, (), outcomes)

    def unreached(self, outcomes: Mapping[str, int], cases: int) -> list[str]:
        """Want every weigher to part hosts, and to leave them even."""
        del cases
        wanted = [f"{name} is even" for name in DEFAULT_WEIGHERS]
        wanted += [f"{n} parts hosts" for n in DEFAULT_WEIGHERS if n not in _CONSTANT]
        return [name for name in wanted if not outcomes.get(name)]


def _judge_refusal(
    raised: str, options: SchedulingOptions, columns: HostColumns
) -> Judgement:
    metrics = build_metrics_filter(options)
    reporting = metrics.mask(HostRows(columns), RequestClass(amounts=()))
    if raised != "ComputeHostMetricNotFound" or not options.metrics_required:
        return Judgement(differences=[f"Nova raises {raised}"])
    if reporting.all():
        return Judgement(differences=["Nova misses a metric that all hosts report"])
    return Judgement(deviations=[REQUIRED_METRIC])


def _scale(
    raw: RawWeights, number: int, request: BuildRequest, count: int
) -> list[float]:
    column = raw.column_for(number, request)
    if column is None:
        return [0.0] * count
    minval = raw.weighers[number].minval
    return [float(weight) for weight in normalize_weights(column, minval=minval)]


def _compare(what: str, ours: Sequence[float], theirs: Sequence[float]) -> list[str]:
    if list(ours) == list(theirs):
        return []
    return [f"{what}: {list(ours)}, Nova {list(theirs)}"]
