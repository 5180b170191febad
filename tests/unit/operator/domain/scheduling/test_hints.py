"""Hints that are given in vain."""

import pytest

from kilonova_api.scheduling import NearHost, SchedulingHints
from kilonova_operator.domain.scheduling.hints import list_ignored_hints
from kilonova_operator.domain.scheduling.options import (
    DEFAULT_FILTERS,
    SchedulingOptions,
)

ALL = SchedulingHints(
    same_host=("a",),
    different_host=("b",),
    near_host=NearHost(address="192.0.2.7"),
    query='["=", "$cell", "c"]',
)


@pytest.mark.parametrize(
    ("enabled", "ignored"),
    [
        ((), ("sameHost", "differentHost", "nearHost", "query")),
        (("SameHostFilter", "JsonFilter"), ("differentHost", "nearHost")),
        (("DifferentHostFilter", "SimpleCIDRAffinityFilter"), ("sameHost", "query")),
        (("OwnFilter",), ()),
    ],
)
def test_a_hint_is_ignored_unless_a_filter_may_read_it(
    enabled: tuple[str, ...], ignored: tuple[str, ...]
) -> None:
    options = SchedulingOptions(enabled_filters=(*DEFAULT_FILTERS, *enabled))
    assert list_ignored_hints(ALL, options, different_hosts=["hv1"]) == ignored
    assert list_ignored_hints(SchedulingHints(), options, different_hosts=None) == ()


@pytest.mark.parametrize(
    ("filters", "hosts", "ignored"),
    [
        (("DifferentHostFilter",), (), ("differentHost",)),
        (("DifferentHostFilter",), ("hv1",), ()),
        (("OwnFilter",), (), ()),
    ],
)
def test_to_keep_away_from_servers_without_a_host_counts_for_nothing(
    filters: tuple[str, ...], hosts: tuple[str, ...], ignored: tuple[str, ...]
) -> None:
    options = SchedulingOptions(enabled_filters=(*DEFAULT_FILTERS, *filters))
    hints = SchedulingHints(different_host=("nobody",))
    assert list_ignored_hints(hints, options, different_hosts=hosts) == ignored
