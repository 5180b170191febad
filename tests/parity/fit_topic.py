"""What is asked of Placement, which hosts it offers, and whether a claim succeeds."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from kilonova_api.flavor import FlavorSize
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.inventory import Inventory, ProviderView
from kilonova_operator.domain.scheduling.aggregates import build_aggregate_set
from kilonova_operator.domain.scheduling.build_class import (
    ImageAsked,
    Wishes,
    build_request_class,
)
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.defaults import build_rules
from kilonova_operator.domain.scheduling.facts import HostFacts
from kilonova_operator.domain.scheduling.flavor_words import MalformedRequest
from kilonova_operator.domain.scheduling.interfaces import ClassRule
from kilonova_operator.domain.scheduling.options import (
    PrefilterOptions,
    SchedulingOptions,
)
from kilonova_operator.domain.scheduling.prefilters.image_traits import (
    build_image_traits,
)
from kilonova_operator.domain.scheduling.request import RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows
from parity.cloud import ZONES, Drawn, find_zone
from parity.cloud_columns import build_aggregates
from parity.fit_draw import draw_fit
from parity.oracle_client import Answer, Case
from parity.topic import Judgement

MALFORMED = "malformed-is-refused"
"""What Nova cannot read of resources and traits it passes over; here it is refused."""
UNKNOWN_ZONE = "unknown-zone-has-no-hosts"
"""A zone that no aggregate names restricts nothing in Nova; here no host is in it."""
_DISABLED = "COMPUTE_STATUS_DISABLED"
_LEAST_REJECTED = 0.3
_READ_KEYS = ("resources", "trait")


class FitTopic:
    """Compares pre-filters and Placement with class rules and inventories."""

    name = "fit"

    def draw(self, random: Random) -> Case:
        """Make up providers, aggregates, a request and a claim."""
        return draw_fit(random)

    def judge(self, case: Case, answer: Answer) -> Judgement:
        """Compare the request, the hosts offered and the claim."""
        if "error" in answer:
            return Judgement(differences=[answer["error"]])
        differences, outcomes = [], []
        fits = _fits(case)
        outcomes.append(f"claim {'succeeds' if fits else 'fails'}")
        if fits is not answer["claimed"]:
            differences.append(f"claim fits {fits}, Placement {answer['claimed']}")
        try:
            asked = _build_class(case)
        except KilonovaError as refused:
            return _judge_refusal(refused, answer, differences, outcomes)
        if answer.get("refused", "").startswith("RequestFilterFailed"):
            answer = {**answer, "candidates": []}  # no aggregate for the tenant
        elif "refused" in answer:
            differences.append(f"Nova refuses: {answer['refused']}")
            return Judgement(differences, (), outcomes)
        else:
            differences += _compare_request(case, asked, answer)
        columns = _build_columns(case)
        ours = _offered(case, asked, columns)
        outcomes += ["hosts asked about"] * len(columns)
        outcomes += ["hosts asked about: not offered"] * (len(columns) - len(ours))
        if ours == answer["candidates"]:
            return Judgement(differences, (), outcomes)
        anywhere = _offered(case, replace(asked, zone=None), columns)
        if _zone_is_unknown(case) and anywhere == answer["candidates"]:
            return Judgement(differences, [UNKNOWN_ZONE], outcomes)
        differences.append(f"offered {ours}, Placement {answer['candidates']}")
        return Judgement(differences, (), outcomes)

    def unreached(self, outcomes: Mapping[str, int], cases: int) -> list[str]:
        """Want both outcomes of claims, and many hosts rejected."""
        del cases
        wanted = ["claim succeeds", "claim fails", "refused by both"]
        missed = [name for name in wanted if not outcomes.get(name)]
        asked = max(outcomes.get("hosts asked about", 0), 1)
        share = outcomes.get("hosts asked about: not offered", 0) / asked
        if not _LEAST_REJECTED <= share < 1.0:
            missed.append(f"{share:.0%} of the hosts rejected")
        return missed


def _judge_refusal(
    refused: KilonovaError,
    answer: Answer,
    differences: list[str],
    outcomes: list[str],
) -> Judgement:
    if "refused" in answer:
        return Judgement(differences, (), [*outcomes, "refused by both"])
    key = refused.key if isinstance(refused, MalformedRequest) else ""
    if key.startswith(_READ_KEYS):
        return Judgement(differences, [MALFORMED], outcomes)
    return Judgement([*differences, f"refused: {refused}"], (), outcomes)


def _fits(case: Case) -> bool:
    host = next(h for h in case["hosts"] if h["name"] == case["claim"]["host"])
    return _build_view(host).find_shortfall(case["claim"]["amounts"]) is None


def _build_class(case: Case) -> RequestClass:
    request = case["request"]
    flavor = request["flavor"]
    return build_request_class(
        flavor["name"],
        FlavorSize(
            vcpus=flavor["vcpus"],
            ram_mib=flavor["memory_mb"],
            root_gib=flavor["root_gb"],
            ephemeral_gib=flavor["ephemeral_gb"],
            swap_mib=flavor["swap"],
            extra_specs=flavor["extra_specs"],
        ),
        image=ImageAsked(
            request["image"]["id"],
            request["image"]["format"],
            request["image"]["properties"],
        ),
        wishes=Wishes(tenant=request["tenant"], zone=request["zone"]),
        options=_build_options(case),
    )


def _build_options(case: Case) -> SchedulingOptions:
    return SchedulingOptions(prefilters=PrefilterOptions(**case["prefilters"]))


def _compare_request(case: Case, asked: RequestClass, answer: Answer) -> list[str]:
    required = set(asked.required_traits)
    if case["prefilters"]["image_metadata_prefilter"]:
        required |= build_image_traits(asked)
    if asked.image_format:
        required.add(f"COMPUTE_IMAGE_TYPE_{asked.image_format.upper()}")
    forbidden = {*asked.forbidden_traits, _DISABLED}
    pairs = {
        "amounts": (dict(asked.amounts), answer["amounts"]),
        "required": (sorted(required), answer["required"]),
        "forbidden": (
            sorted(forbidden),
            answer["forbidden"],
        ),
    }
    return [
        f"{what}: {ours}, Nova {theirs}"
        for what, (ours, theirs) in pairs.items()
        if ours != theirs
    ]


def _build_columns(case: Case) -> HostColumns:
    columns = HostColumns()
    aggregates = build_aggregates(case)
    columns.set_aggregates(aggregates)
    for host in case["hosts"]:
        own = build_aggregate_set(aggregates[number] for number in host["aggregates"])
        columns.set_facts(
            HostFacts(
                host=host["name"],
                cell="cell1",
                zone=find_zone(case, host),
                up=True,
                held=_DISABLED in host["traits"],
                aggregates=own,
                traits=frozenset(host["traits"]) - {_DISABLED},
            )
        )
        columns.set_provider(_build_view(host))
    return columns


def _build_view(host: Drawn) -> ProviderView:
    inventories = {
        name: Inventory(**figures) for name, figures in host["inventories"].items()
    }
    return ProviderView(host["name"], "cell1", 1, inventories, host["used"])


def _offered(case: Case, asked: RequestClass, columns: HostColumns) -> list[str]:
    passes = HostRows(columns).pass_all()
    for rule in build_rules(_build_options(case)).prefilters:
        if isinstance(rule, ClassRule) and rule.applies(asked):
            passes &= rule.mask(HostRows(columns), asked)
    return sorted(columns.hosts[row] for row in passes.nonzero()[0])


def _zone_is_unknown(case: Case) -> bool:
    zones = {a["metadata"].get("availability_zone") for a in case["aggregates"]}
    return case["request"]["zone"] in {"nowhere", *ZONES} - zones
