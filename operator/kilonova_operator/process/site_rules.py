"""A site's own filters and weighers, out of installed packages.

A package names them by entry points of the groups ``kilonova.filters`` and
``kilonova.weighers``. Only those that the site enables are imported.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import TypeVar

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.interfaces import (
    ClassRule,
    HostWeigher,
    RequestRule,
    RequestWeigher,
)
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.domain.scheduling.rules import (
    FILTERS,
    WEIGHERS,
    AnyFilter,
    AnyWeigher,
)

FILTER_GROUP = "kilonova.filters"
WEIGHER_GROUP = "kilonova.weighers"

R = TypeVar("R")
EntryPoints = Callable[[str], Iterable[metadata.EntryPoint]]


class SiteRuleUnusable(KilonovaError):
    """A site's own rule cannot be loaded, or is none."""

    def __init__(self, entry: metadata.EntryPoint, problem: str) -> None:
        package = entry.dist.name if entry.dist else "a package"
        super().__init__(
            f"{entry.group} {entry.name} of {package} ({entry.value}): {problem}. "
            "Mend the package, or take the name out of the enabled rules."
        )


@dataclass(frozen=True, slots=True)
class SiteRules:
    """What a site's packages offer, by name, as ``build_rules`` takes it."""

    filters: Mapping[str, Callable[[SchedulingOptions], AnyFilter]] = field(
        default_factory=dict
    )
    weighers: Mapping[str, Callable[[SchedulingOptions], AnyWeigher]] = field(
        default_factory=dict
    )


def list_entry_points(group: str) -> Iterable[metadata.EntryPoint]:
    """Return the entry points of a group, of all installed packages."""
    return metadata.entry_points(group=group)


def find_site_rules(entry_points: EntryPoints = list_entry_points) -> SiteRules:
    """Find a site's own rules; each is imported when it is made.

    Raises:
        SiteRuleUnusable: two rules have one name, or one has a name of Nova's.
    """
    return SiteRules(
        filters={
            name: _filter_maker(entry)
            for name, entry in _by_name(entry_points(FILTER_GROUP), FILTERS).items()
        },
        weighers={
            name: _weigher_maker(entry)
            for name, entry in _by_name(entry_points(WEIGHER_GROUP), WEIGHERS).items()
        },
    )


def _by_name(
    entries: Iterable[metadata.EntryPoint], taken: Iterable[str]
) -> dict[str, metadata.EntryPoint]:
    known = set(taken)
    found: dict[str, metadata.EntryPoint] = {}
    for entry in entries:
        if entry.name in known:
            raise SiteRuleUnusable(entry, "the name is taken")
        known.add(entry.name)
        found[entry.name] = entry
    return found


def _filter_maker(
    entry: metadata.EntryPoint,
) -> Callable[[SchedulingOptions], AnyFilter]:
    def make(options: SchedulingOptions) -> AnyFilter:
        made = _make(entry, options)
        if not isinstance(made, ClassRule | RequestRule):
            raise SiteRuleUnusable(
                entry, "it is neither a ClassFilter nor a RequestFilter"
            )
        if not isinstance(getattr(made, "runs_on_rebuild", None), bool):
            raise SiteRuleUnusable(entry, "it has no runs_on_rebuild")
        _check_name(entry, made.name)
        return made  # type: ignore[return-value]  # checked attribute by attribute

    return make


def _weigher_maker(
    entry: metadata.EntryPoint,
) -> Callable[[SchedulingOptions], AnyWeigher]:
    def make(options: SchedulingOptions) -> AnyWeigher:
        made = _make(entry, options)
        if not isinstance(made, HostWeigher | RequestWeigher):
            raise SiteRuleUnusable(
                entry, "it is neither a HostWeigher nor a RequestWeigher"
            )
        _check_name(entry, made.name)
        return made

    return make


def _make(entry: metadata.EntryPoint, options: SchedulingOptions) -> object:
    """Import and make a rule; whatever its code raises is told with its name."""
    try:
        made: object = entry.load()(options)
    except Exception as error:
        raise SiteRuleUnusable(entry, f"{type(error).__name__}: {error}") from error
    return made


def _check_name(entry: metadata.EntryPoint, name: str) -> None:
    if name != entry.name:
        raise SiteRuleUnusable(entry, f"it calls itself {name!r}")
