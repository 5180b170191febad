"""Every extra spec that Nova knows is acted on here, or refused with its key."""

import re
from random import Random

import pytest

from kilonova_api.extra_specs.table import KEYS
from kilonova_api.extra_specs.values import OneOf
from kilonova_api.flavor import FlavorSize
from kilonova_operator.domain.scheduling.build_class import (
    ImageAsked,
    Wishes,
    build_request_class,
)
from kilonova_operator.domain.scheduling.defaults import build_rules
from kilonova_operator.domain.scheduling.extra_spec_check import (
    UnknownExtraSpec,
    UnsupportedExtraSpec,
)
from kilonova_operator.domain.scheduling.options import KNOWN_FILTERS, SchedulingOptions
from kilonova_operator.domain.scheduling.request import BuildRequest
from kilonova_operator.domain.scheduling.scheduler import Scheduler
from support.scheduling import made_columns, made_facts, made_view

DEFAULTS = SchedulingOptions()
EVERY_FILTER = SchedulingOptions(enabled_filters=tuple(sorted(KNOWN_FILTERS)))
OF_CELLS = re.compile(
    r"hw:(cpu_.*|numa_.*|mem_page_size|emulator_threads_policy|locked_memory)"
)
"""Keys of CPUs, NUMA nodes and pages: tests/unit/.../numa tells of them."""
FAMILIES = {
    "aggregate_instance_extra_specs:ssd": "true",
    "capabilities:cpu_info:features": "<in> avx",
    "resources:CUSTOM_LICENCE": "1",
    "resources:VCPU": "2",
    "resources1:CUSTOM_LICENCE": "1",
    "resources_a:VCPU": "1",
    "trait:CUSTOM_GOLD": "required",
    "trait:HW_CPU_X86_AVX2": "forbidden",
    "trait1:CUSTOM_GOLD": "required",
    "hw:numa_cpus.0": "0",
}
"""A key of each form that holds a name or a number of somebody's own."""
WORDS = ("1", "true", "0", "required", "dedicated", "none", "isolate", "2.0", "a:1")
ACTED_ON = ("capabilities:", "resources:", "trait:")
HOST = made_columns((made_facts("hv1"), made_view("hv1")))


def give_word(key: str) -> str:
    """Return something that may stand in the extra spec."""
    if key in FAMILIES:
        return FAMILIES[key]
    rule = KEYS[key]
    words = rule.words if isinstance(rule, OneOf) else WORDS
    return next(word for word in words if rule.find_problem(word) is None)


def is_refused(key: str, options: SchedulingOptions) -> bool:
    try:
        build_rules(options).check_extra_specs({key: give_word(key)})
    except UnsupportedExtraSpec as refused:
        return refused.keys == (key,) and key in str(refused)
    return False


BUILT = [
    *(f"hw:cpu_{limit}{p}" for limit in ("", "max_") for p in ("sockets", "cores")),
    *("hw:cpu_threads", "hw:cpu_max_threads"),
    *(f"quota:cpu_{name}" for name in ("shares", "period", "quota")),
]
NOT_OF_CELLS = sorted(
    key for key in {*KEYS, *FAMILIES} - {*BUILT} if not OF_CELLS.fullmatch(key)
)


@pytest.mark.parametrize("key", NOT_OF_CELLS)
def test_a_key_is_acted_on_or_refused_by_its_name(key: str) -> None:
    known = key.startswith(ACTED_ON)
    assert is_refused(key, DEFAULTS) is not known
    known = known or key.startswith("aggregate_instance_extra_specs:")
    assert is_refused(key, EVERY_FILTER) is not known


@pytest.mark.parametrize(
    "key", [key for key in NOT_OF_CELLS if not is_refused(key, EVERY_FILTER)]
)
def test_what_is_acted_on_can_keep_a_host_out(key: str) -> None:
    impossible = {"resources": "1000000", "trait": "required"}
    word = impossible.get(key.partition(":")[0], "s== no host says so")
    size = FlavorSize(vcpus=1, ram_mib=64, root_gib=1, extra_specs={key: word})
    asked = build_request_class(
        "x", size, image=ImageAsked(), wishes=Wishes(), options=EVERY_FILTER
    )
    scheduler = Scheduler(build_rules(EVERY_FILTER), HOST, random=Random(1))
    assert scheduler.select(BuildRequest(asked)).host is None, "silently ignored"


@pytest.mark.parametrize("key", BUILT)
def test_how_a_guest_is_made_is_its_agents_part(key: str) -> None:
    assert not is_refused(key, DEFAULTS)


@pytest.mark.parametrize(
    ("bag", "said"),
    [
        ({"resources1:VCPU": "1", "group_policy": "none"}, "a host is one provider"),
        ({"trait_nic:CUSTOM_FAST": "required"}, "trait_nic:CUSTOM_FAST: a host is one"),
        ({"hide_hypervisor_id": "true"}, "hide_hypervisor_id is not supported here."),
    ],
)
def test_a_refusal_says_why_and_what_to_do(bag: dict[str, str], said: str) -> None:
    for options in (DEFAULTS, EVERY_FILTER):
        with pytest.raises(UnsupportedExtraSpec, match="Use a flavor") as refused:
            build_rules(options).check_extra_specs(bag)
        assert said in str(refused.value)


def test_what_nova_does_not_know_is_told_before_what_is_not_supported() -> None:
    with pytest.raises(UnknownExtraSpec, match="did you mean hw:tpm_version"):
        build_rules(DEFAULTS).check_extra_specs({"hw:tpm_versoin": "2", "hw:pmu": "1"})
