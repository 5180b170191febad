"""What nobody would act on is refused rather than ignored."""

from collections.abc import Mapping

import pytest
import yaml

from kilonova_api.flavor import Flavor
from kilonova_api.flavor_extra_specs import effective_extra_specs
from kilonova_operator.domain.catalogue.judgements import judge_flavor, judge_image
from kilonova_operator.domain.scheduling.defaults import (
    build_default_rules,
    build_rules,
)
from kilonova_operator.domain.scheduling.options import KNOWN_FILTERS, SchedulingOptions
from support.crds import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
FLAVORS = [
    Flavor.model_validate(manifest)
    for path in sorted(EXAMPLES.rglob("*.yaml"))
    for manifest in yaml.safe_load_all(path.read_text())
    if manifest["kind"] == "Flavor"
]


def check(extra_specs: Mapping[str, str]) -> None:
    build_default_rules().check_extra_specs(extra_specs)


def test_a_plain_flavor_is_usable() -> None:
    assert judge_flavor({}, check).status == "True"


@pytest.mark.parametrize("flavor", FLAVORS, ids=lambda flavor: flavor.metadata.name)
def test_the_examples_flavors_are_usable_where_all_filters_are_enabled(
    flavor: Flavor,
) -> None:
    options = SchedulingOptions(enabled_filters=tuple(sorted(KNOWN_FILTERS)))
    judgement = judge_flavor(
        effective_extra_specs(flavor.spec), build_rules(options).check_extra_specs
    )
    assert judgement.status == "True", judgement.message


def test_an_extra_spec_that_no_rule_understands_stalls_the_flavor() -> None:
    judgement = judge_flavor({"hw:pmem": "4GB"}, check)
    assert (judgement.reason, judgement.also) == ("UnsupportedExtraSpec", "Stalled")
    assert "hw:pmem" in judgement.message


def test_an_extra_spec_that_nova_does_not_know_stalls_the_flavor() -> None:
    judgement = judge_flavor({"hw:cpu_polcy": "dedicated"}, check)
    assert (judgement.reason, judgement.also) == ("UnknownExtraSpec", "Stalled")
    assert judgement.message == "hw:cpu_polcy: unknown; did you mean hw:cpu_policy?"


def test_of_many_problems_the_first_are_said_and_the_others_counted() -> None:
    bag = {f"hw:{letter}": "1" for letter in "abcdefg"}
    message = judge_flavor(bag, check).message
    assert message.startswith("hw:a: unknown")
    assert message.endswith("hw:e: unknown; and 2 more")


@pytest.mark.parametrize("key", ["hw_cpu_polcy", "hw_rng_model", "img_signature"])
def test_a_property_of_the_machine_that_is_not_built_stalls_the_image(key: str) -> None:
    judgement = judge_image([key, "os_distro"])
    assert (judgement.reason, judgement.also) == ("UnsupportedProperty", "Stalled")
    assert key in judgement.message


def test_notes_and_known_properties_are_usable() -> None:
    known = ["os_distro", "hw_architecture", "hw_cpu_max_threads", "hw_cpu_cores"]
    cells = ["hw_cpu_policy", "hw_numa_nodes", "hw_numa_cpus.0", "hw_mem_page_size"]
    assert judge_image([*known, *cells]).status == "True"
