"""Policies of groups that nothing enabled acts on."""

from typing import get_args

import pytest

from kilonova_operator.domain.scheduling.group_support import find_unsupported
from kilonova_operator.domain.scheduling.options import (
    DEFAULT_FILTERS,
    DEFAULT_WEIGHERS,
    SchedulingOptions,
)
from kilonova_operator.domain.scheduling.request import Policy


def without(name: str) -> SchedulingOptions:
    return SchedulingOptions(
        enabled_filters=tuple(set(DEFAULT_FILTERS) - {name}),
        weight_classes=tuple(set(DEFAULT_WEIGHERS) - {name}),
    )


@pytest.mark.parametrize("policy", get_args(Policy))
def test_every_policy_is_supported_by_default(policy: Policy) -> None:
    assert find_unsupported(policy, SchedulingOptions()) is None


@pytest.mark.parametrize(
    ("policy", "reader", "option"),
    [
        ("Affinity", "ServerGroupAffinityFilter", "enabled_filters"),
        ("AntiAffinity", "ServerGroupAntiAffinityFilter", "enabled_filters"),
        ("SoftAffinity", "ServerGroupSoftAffinityWeigher", "weight_classes"),
        ("SoftAntiAffinity", "ServerGroupSoftAntiAffinityWeigher", "weight_classes"),
    ],
)
def test_a_policy_whose_rule_is_switched_off_is_refused(
    policy: Policy, reader: str, option: str
) -> None:
    options = without(reader)
    assert f"{reader} is not among {option}" in str(find_unsupported(policy, options))
    for other in {*get_args(Policy)} - {policy}:
        assert find_unsupported(other, options) is None


@pytest.mark.parametrize("policy", get_args(Policy))
def test_a_rule_of_the_sites_own_may_act_on_any_policy(policy: Policy) -> None:
    options = SchedulingOptions(("OwnFilter",), ("OwnWeigher",))
    assert find_unsupported(policy, options) is None
