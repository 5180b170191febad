"""Hints that count for nothing, which is said."""

from collections.abc import Collection

from kilonova_api.scheduling import SchedulingHints
from kilonova_operator.domain.scheduling.options import SchedulingOptions


def list_ignored_hints(
    hints: SchedulingHints,
    options: SchedulingOptions,
    *,
    different_hosts: Collection[str] | None,
) -> tuple[str, ...]:
    """Name the hints that are given in vain, as fields of spec.schedulingHints.

    Nova passes over them as well, but in silence. None is named where a site has
    filters of its own: they may read any. different_hosts: where the Servers are that
    differentHost names; it keeps away from nobody if none of them has a host.
    """
    may_enable = options.may_enable
    readers = (
        ("sameHost", "SameHostFilter", hints.same_host),
        ("differentHost", "DifferentHostFilter", hints.different_host),
        ("nearHost", "SimpleCIDRAffinityFilter", hints.near_host),
        ("query", "JsonFilter", hints.query),
    )
    unread = [n for n, reader, given in readers if given and not may_enable(reader)]
    keeps_away = different_hosts or "DifferentHostFilter" not in options.enabled_filters
    if hints.different_host and not keeps_away:
        unread.append("differentHost")
    return tuple(unread)
