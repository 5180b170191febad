"""Rules by name, and what every one of them has in common."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_operator.domain.inventory import RESOURCE_CLASSES
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.defaults import UnknownRule, build_rules
from kilonova_operator.domain.scheduling.interfaces import (
    ClassRule,
    HostWeigher,
    RequestRule,
    RequestWeigher,
)
from kilonova_operator.domain.scheduling.metrics import HostMetric
from kilonova_operator.domain.scheduling.options import (
    DEFAULT_FILTERS,
    DEFAULT_WEIGHERS,
    KNOWN_FILTERS,
    PrefilterOptions,
    SchedulingOptions,
)
from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.rules import FILTERS, WEIGHERS
from support.judging import made_aggregates
from support.scheduling import X86, made_facts, made_request, made_view

EVERYTHING = SchedulingOptions(
    enabled_filters=tuple(FILTERS),
    prefilters=PrefilterOptions(
        limit_tenants_to_placement_aggregate=True,
        enable_isolated_aggregate_filtering=True,
        query_placement_for_image_type_support=True,
        image_metadata_prefilter=True,
    ),
    isolated_hosts=frozenset({"hv1"}),
    isolated_images=frozenset({"secret"}),
    metrics_weight_setting=(("cpu.percent", 1.0),),
)
RULES = build_rules(EVERYTHING)
CLASS_RULES = [
    rule for rule in (*RULES.prefilters, *RULES.filters) if isinstance(rule, ClassRule)
]


def test_the_defaults_are_novas() -> None:
    rules = build_rules(SchedulingOptions())
    assert tuple(rule.name for rule in rules.filters) == DEFAULT_FILTERS
    assert tuple(weigher.name for weigher in rules.weighers) == DEFAULT_WEIGHERS
    assert (rules.host_subset_size, rules.shuffle_best_same_weighed_hosts) == (1, False)
    names = [rule.name for rule in rules.prefilters]
    assert names[-4:] == [
        *(f"Capacity:{resource_class}" for resource_class in RESOURCE_CLASSES),
        "Capacity:Other",
    ]
    assert not {"TenantIsolation", "IsolatedAggregates", "ImageTraits"}.intersection(
        names
    )


def test_every_rule_is_known_by_its_own_name_and_no_two_share_one() -> None:
    assert [FILTERS[name](EVERYTHING).name for name in FILTERS] == list(FILTERS)
    assert [WEIGHERS[name](EVERYTHING).name for name in WEIGHERS] == list(WEIGHERS)
    names = [rule.name for rule in (*RULES.prefilters, *RULES.filters)]
    assert len(set(names)) == len(names)


def reads(options: SchedulingOptions) -> list[bool]:
    return [
        options.reads_tenant,
        options.reads_image,
        options.reads_query,
        options.reads_image_format,
    ]


def test_a_sites_own_filter_may_read_all_of_a_request() -> None:
    nova_only = SchedulingOptions(
        enabled_filters=tuple(
            FILTERS.keys()
            - {"AggregateMultiTenancyIsolation", "IsolatedHostsFilter", "JsonFilter"}
        )
    )
    assert set(FILTERS) == KNOWN_FILTERS
    assert not any(reads(nova_only))
    own = SchedulingOptions(enabled_filters=("SiteFilter",))
    assert all(reads(own))


def test_every_rule_is_of_one_kind() -> None:
    for rule in (*RULES.prefilters, *RULES.filters):
        assert isinstance(rule, ClassRule) is not isinstance(rule, RequestRule), rule
    for weigher in RULES.weighers:
        of_request = isinstance(weigher, RequestWeigher)
        assert isinstance(weigher, HostWeigher) is not of_request, weigher


@pytest.mark.parametrize(
    "options",
    [
        SchedulingOptions(enabled_filters=("ComputeFilter", "RamFilter")),
        SchedulingOptions(weight_classes=("RamFilter",)),
    ],
)
def test_an_unknown_rule_is_named_with_those_that_are_known(
    options: SchedulingOptions,
) -> None:
    with pytest.raises(UnknownRule, match=r"RamFilter.*Known are .*Weigher|Filter"):
        build_rules(options)


@pytest.mark.parametrize(
    ("options", "filtered"),
    [
        pytest.param({}, True, id="required metrics would fail the weigher"),
        pytest.param({"metrics_required": False}, False, id="not required"),
        pytest.param({"metrics_weight_setting": ()}, False, id="none is weighed"),
        pytest.param({"weight_classes": ("CPUWeigher",)}, False, id="no such weigher"),
    ],
)
def test_hosts_without_a_required_metric_are_left_out_beforehand(
    options: dict[str, object], *, filtered: bool
) -> None:
    values = {"metrics_weight_setting": (("cpu.percent", 1.0),)} | options
    rules = build_rules(SchedulingOptions(**values))  # type: ignore[arg-type]
    assert ("MetricsFilter" in {rule.name for rule in rules.filters}) is filtered


hosts = st.fixed_dictionaries(
    {
        "zone": st.sampled_from([None, "east", "west"]),
        "cell": st.sampled_from([None, "cell1", "cell2"]),
        "up": st.booleans(),
        "held": st.booleans(),
        "agent_version": st.sampled_from(["0.9.0", "1.2.3"]),
        "profile": st.sampled_from([X86, CapabilityProfile()]),
        "traits": st.frozensets(
            st.sampled_from(["CUSTOM_A", "COMPUTE_IMAGE_TYPE_RAW", "HW_ARCH_X86_64"])
        ),
        "metrics": st.sampled_from([(), (HostMetric("cpu.percent", 0.5),)]),
        "address": st.sampled_from(["", "10.0.0.1", "10.0.1.1"]),
        "aggregates": st.sampled_from(
            [
                made_aggregates(),
                made_aggregates({"filter_tenant_id": "shop", "ssd": "true"}),
                made_aggregates({"instance_type": "big", "os_distro": "fedora"}),
                made_aggregates({"trait:CUSTOM_A": "required"}),
                made_aggregates(
                    {"max_io_ops_per_host": "2", "max_instances_per_host": "3"}
                ),
            ]
        ),
    }
)
requests = st.fixed_dictionaries(
    {
        "flavor": st.sampled_from(["small", "big"]),
        "tenant": st.sampled_from(["shop", "bank"]),
        "zone": st.sampled_from([None, "east", "nowhere"]),
        "cell": st.sampled_from([None, "cell1"]),
        "image": st.sampled_from(["secret", "plain"]),
        "image_format": st.sampled_from(["", "raw"]),
        "image_properties": st.sampled_from(
            [{}, {"hw_architecture": "x86_64"}, {"os_distro": "debian"}]
        ),
        "extra_specs": st.sampled_from(
            [{}, {"capabilities:free_ram_mb": ">= 9000"}, {"ssd": "true"}]
        ),
        "required_traits": st.sampled_from([frozenset(), frozenset({"CUSTOM_A"})]),
        "forbidden_traits": st.sampled_from([frozenset(), frozenset({"CUSTOM_A"})]),
        "query": st.sampled_from(["", '[">", "$num_instances", 2]']),
        "nearby": st.sampled_from(["", "10.0.0.0/24"]),
        "min_agent_version": st.sampled_from(["0.0.0", "1.0.0"]),
    }
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(hosts, st.integers(0, 40), st.integers(0, 5)), max_size=8),
    requests,
    st.data(),
)
def test_some_hosts_are_judged_as_they_are_among_all(
    drawn: list[tuple[dict[str, object], int, int]],
    asked: dict[str, object],
    data: st.DataObject,
) -> None:
    columns = HostColumns()
    for number, (facts, memory_gib, claims) in enumerate(drawn):
        name = f"hv{number}"
        columns.set_facts(made_facts(name, **facts))
        used = (0, memory_gib * 1024, 0)
        columns.set_provider(made_view(name, used=used, claims=claims))
        columns.set_number(name, "io_ops", claims)
    columns.set_aggregates(made_aggregates({"filter_tenant_id": "shop"}).aggregates)
    request = made_request({"MEMORY_MB": 2048, "CUSTOM_X": 1}, **asked).asked
    picked = data.draw(
        st.lists(st.sampled_from(range(len(drawn))), unique=True)
        if drawn
        else st.just([])
    )
    rows = np.array(picked, np.int64)
    everyone, some = HostRows(columns), HostRows(columns, rows)
    for rule in CLASS_RULES:
        mask = rule.mask(everyone, request)
        assert rule.mask(some, request).tolist() == mask[rows].tolist(), rule.name
        assert rule.applies(request) or mask.all(), rule.name
    for weigher in RULES.weighers:
        if isinstance(weigher, HostWeigher):
            weights = weigher.weigh(everyone)
            assert weigher.weigh(some).tolist() == weights[rows].tolist(), weigher.name
