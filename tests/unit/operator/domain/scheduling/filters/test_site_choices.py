"""Filters by what a site configures, by the rules of Nova 34."""

import pytest

from kilonova_operator.domain.scheduling.filters.all_hosts import AllHostsFilter
from kilonova_operator.domain.scheduling.filters.compute import ComputeFilter
from kilonova_operator.domain.scheduling.filters.isolated_hosts import (
    IsolatedHostsFilter,
)
from kilonova_operator.domain.scheduling.filters.metrics import MetricsFilter
from kilonova_operator.domain.scheduling.metrics import HostMetric
from support.judging import passing
from support.scheduling import SMALL, made_columns, made_facts, made_request, made_view

HOSTS = made_columns(
    (
        made_facts("plain", metrics=(HostMetric("cpu.percent", 1.0),)),
        made_view("plain"),
    ),
    (made_facts("apart"), made_view("apart")),
)
APART, SECRET = frozenset({"apart"}), frozenset({"secret"})


@pytest.mark.parametrize(
    ("rule", "image", "expected"),
    [
        pytest.param(
            IsolatedHostsFilter(), "any", ["plain", "apart"], id="nothing set"
        ),
        pytest.param(IsolatedHostsFilter(APART), "any", ["plain"], id="hosts alone"),
        pytest.param(
            IsolatedHostsFilter(
                APART, restrict_isolated_hosts_to_isolated_images=False
            ),
            "any",
            ["plain", "apart"],
            id="hosts alone, open",
        ),
        pytest.param(
            IsolatedHostsFilter(APART, SECRET), "secret", ["apart"], id="its image"
        ),
        pytest.param(
            IsolatedHostsFilter(APART, SECRET), "any", ["plain"], id="another image"
        ),
        pytest.param(
            IsolatedHostsFilter(APART, SECRET, False),  # noqa: FBT003
            "any",
            ["plain", "apart"],
            id="another image, open",
        ),
        pytest.param(
            IsolatedHostsFilter(APART, SECRET, False),  # noqa: FBT003
            "secret",
            ["apart"],
            id="its image, open",
        ),
    ],
)
def test_isolated_images_and_hosts_belong_together(
    rule: IsolatedHostsFilter, image: str, expected: list[str]
) -> None:
    assert passing(rule, HOSTS, made_request(image=image)) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(set(), ["plain", "apart"], id="none is weighed"),
        pytest.param({"cpu.percent"}, ["plain"], id="one is"),
        pytest.param({"cpu.percent", "cpu.frequency"}, [], id="both are"),
    ],
)
def test_a_host_reports_all_metrics_that_are_weighed(
    wanted: set[str], expected: list[str]
) -> None:
    assert passing(MetricsFilter(frozenset(wanted)), HOSTS, SMALL) == expected


def test_a_silent_or_disabled_host_fails_the_compute_filter() -> None:
    hosts = made_columns(
        (made_facts("up"), made_view("up")),
        (made_facts("silent", up=False), made_view("silent")),
        (made_facts("held", held=True), made_view("held")),
    )
    assert passing(ComputeFilter(), hosts, SMALL) == ["up"]
    assert passing(AllHostsFilter(), hosts, SMALL) == ["up", "silent", "held"]
