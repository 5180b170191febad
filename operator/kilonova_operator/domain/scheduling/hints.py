"""Hints that no enabled filter reads: they count for nothing, which is said."""

from kilonova_api.scheduling import SchedulingHints
from kilonova_operator.domain.scheduling.options import SchedulingOptions


def list_ignored_hints(
    hints: SchedulingHints, options: SchedulingOptions
) -> tuple[str, ...]:
    """Name the hints that are given in vain, as fields of spec.schedulingHints.

    Nova passes over them as well, but in silence. None is named where a site has
    filters of its own: they may read any.
    """
    readers = (
        ("sameHost", "SameHostFilter", hints.same_host),
        ("differentHost", "DifferentHostFilter", hints.different_host),
        ("nearHost", "SimpleCIDRAffinityFilter", hints.near_host),
        ("query", "JsonFilter", hints.query),
    )
    return tuple(
        name
        for name, reader, given in readers
        if given and not options.may_enable(reader)
    )
