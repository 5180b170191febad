"""What nobody would act on is refused rather than ignored."""

from collections.abc import Sequence

import pytest

from kilonova_operator.domain.catalogue.judgements import judge_flavor, judge_image
from kilonova_operator.domain.scheduling.defaults import build_default_rules


def check(keys: Sequence[str]) -> None:
    build_default_rules().check_extra_specs(keys)


def test_a_plain_flavor_is_usable() -> None:
    assert judge_flavor((), check).status == "True"


def test_an_extra_spec_that_no_rule_understands_stalls_the_flavor() -> None:
    judgement = judge_flavor(("hw:cpu_polcy",), check)
    assert (judgement.reason, judgement.also) == ("UnsupportedExtraSpec", "Stalled")
    assert "hw:cpu_polcy" in judgement.message


@pytest.mark.parametrize("key", ["hw_cpu_policy", "img_signature"])
def test_a_property_of_the_machine_that_is_not_built_stalls_the_image(key: str) -> None:
    judgement = judge_image([key, "os_distro"])
    assert (judgement.reason, judgement.also) == ("UnsupportedProperty", "Stalled")
    assert key in judgement.message


def test_notes_and_known_properties_are_usable() -> None:
    assert judge_image(["os_distro", "hw_architecture"]).status == "True"
