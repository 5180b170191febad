"""Every filter, host by host, and chains of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random

from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.defaults import build_rules
from kilonova_operator.domain.scheduling.interfaces import ClassRule, RequestRule
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.rules import FILTERS, AnyFilter
from parity.cloud import draw_cloud
from parity.cloud_columns import build_columns, build_options, build_request
from parity.cloud_request import draw_options, draw_request
from parity.oracle_client import Answer, Case
from parity.topic import Judgement

_OTHERS_TOPIC = "NUMATopologyFilter"
NAMES = tuple(sorted(set(FILTERS) - {_OTHERS_TOPIC}))
_LEAST_REJECTED = 0.3

NOVA_RAISES = "nova-raises"
"""Nova fails the whole request by an exception; here the host fails the filter."""
_HASHED = frozenset({"AggregateInstanceExtraSpecsFilter"})
"""Nova looks at an aggregate's values in the order of their hashes, and raises if one
that is no number comes before one that is enough."""
ANY_PROPERTY = "any-image-property-isolates"
"""AggregateImagePropertiesIsolation looks at properties that Nova does not know."""
ADDRESS_BITS = "image-address-bits-are-compared"
"""Nova takes cpu_info, which is text, for a dict: with the property it always fails."""
_UNKNOWN_TO_NOVA = frozenset({"site_tier"})


class FiltersTopic:
    """Compares verdicts of all filters, and who survives a chain of some."""

    name = "filters"

    def draw(self, random: Random) -> Case:
        """Make up a cloud, a request, a site's options and a chain of filters."""
        cloud = draw_cloud(random)
        return {
            "cloud": cloud,
            "request": draw_request(random, cloud),
            "options": draw_options(random),
            "chain": random.sample(NAMES, k=random.randint(1, 6)),
        }

    def judge(self, case: Case, answer: Answer) -> Judgement:
        """Compare verdict by verdict."""
        if "error" in answer:
            return Judgement(differences=[answer["error"]])
        comparison = _Comparison(case)
        for name in NAMES:
            comparison.compare_filter(name, answer["filters"].get(name))
        comparison.compare_chain(answer["chain"])
        return Judgement(
            comparison.differences, comparison.deviations, comparison.outcomes
        )

    def unreached(self, outcomes: Mapping[str, int], cases: int) -> list[str]:
        """Want both verdicts of every filter, and many hosts rejected."""
        del cases
        wanted = [f"{name}: {word}" for name in NAMES for word in ("passes", "rejects")]
        wanted.remove("AllHostsFilter: rejects")
        missed = [name for name in wanted if not outcomes.get(name)]
        share = outcomes.get("hosts in chains: rejected", 0) / max(
            outcomes.get("hosts in chains", 0), 1
        )
        if share < _LEAST_REJECTED:
            missed.append(f"chains reject only {share:.0%} of the hosts")
        return missed


class _Comparison:
    def __init__(self, case: Case) -> None:
        self.differences: list[str] = []
        self.deviations: list[str] = []
        self.outcomes: list[str] = []
        self._options = build_options(case["options"])
        self._columns = build_columns(case["cloud"])
        self._request = build_request(case["cloud"], case["request"])
        self._chain = case["chain"]

    def compare_filter(self, name: str, theirs: list[bool | str] | None) -> None:
        """Compare one filter's verdicts."""
        if theirs is None:
            self.differences.append(f"Nova has no {name}")
            return
        rule = FILTERS[name](self._options)
        ours = self._judge(rule, self._request)
        for host, mine, nova in zip(self._columns.hosts, ours, theirs, strict=True):
            self.outcomes += [name, f"{name}: {'passes' if mine else 'rejects'}"]
            if mine is nova:
                continue
            meant = self._find_deviation(rule, host, mine=mine, nova=nova)
            if meant:
                self.deviations.append(meant)
            else:
                self.differences.append(f"{name} on {host}: {mine}, Nova {nova}")

    def compare_chain(self, theirs: list[str] | str) -> None:
        """Compare who is left, unless Nova gave up."""
        rules = build_rules(replace(self._options, enabled_filters=tuple(self._chain)))
        left = list(self._columns.hosts)
        for rule in rules.filters[: len(self._chain)]:
            passing = self._judge(rule, self._request)
            left = [h for h in left if passing[self._columns.hosts.index(h)]]
        self.outcomes += ["hosts in chains"] * len(self._columns)
        self.outcomes += ["hosts in chains: rejected"] * (
            len(self._columns) - len(left)
        )
        if left == theirs:
            return
        if isinstance(theirs, str):
            self.deviations.append(NOVA_RAISES)
        elif "AggregateImagePropertiesIsolation" in self._chain and self._has_unknown():
            self.deviations.append(ANY_PROPERTY)
        else:
            self.differences.append(f"chain {self._chain}: {left}, Nova {theirs}")

    def _judge(self, rule: AnyFilter, request: BuildRequest) -> list[bool]:
        return list(judge_hosts(rule, self._columns, request))

    def _find_deviation(
        self, rule: AnyFilter, host: str, *, mine: bool, nova: bool | str
    ) -> str | None:
        if isinstance(nova, str):
            if rule.name == "ImagePropertiesFilter" and self._has_bits():
                return ADDRESS_BITS
            return NOVA_RAISES if not mine or rule.name in _HASHED else None
        if rule.name != "AggregateImagePropertiesIsolation" or not self._has_unknown():
            return None
        known = replace(self._request, asked=_without_unknown(self._request.asked))
        same = self._judge(rule, known)[self._columns.hosts.index(host)] is nova
        return ANY_PROPERTY if same else None

    def _has_bits(self) -> bool:
        wanted = self._request.asked.find_image_property("hw_maxphysaddr_bits")
        return wanted is not None

    def _has_unknown(self) -> bool:
        properties = dict(self._request.asked.image_properties)
        return not _UNKNOWN_TO_NOVA.isdisjoint(properties)


def judge_hosts(
    rule: AnyFilter, columns: HostColumns, request: BuildRequest
) -> Iterator[bool]:
    """Return what a filter says of each host, as the scheduler asks it."""
    count = len(columns)
    if request.asked.rebuild and not rule.runs_on_rebuild:
        yield from [True] * count
    elif isinstance(rule, ClassRule):
        applies = rule.applies(request.asked)
        mask = rule.mask(HostRows(columns), request.asked).tolist()
        yield from mask if applies else [True] * count
    elif isinstance(rule, RequestRule):
        verdict = rule.judge(columns, request)
        if verdict is None:
            yield from [True] * count
        else:
            yield from (~verdict.find_failing(count)).tolist()


def _without_unknown(asked: RequestClass) -> RequestClass:
    known = [(k, v) for k, v in asked.image_properties if k not in _UNKNOWN_TO_NOVA]
    return replace(asked, image_properties=tuple(known))


__all__ = ["FiltersTopic", "judge_hosts"]
