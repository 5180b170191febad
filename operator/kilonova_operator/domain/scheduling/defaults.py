"""The rules of an installation, in their order."""

from collections.abc import Iterable
from dataclasses import dataclass

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.inventory import RESOURCE_CLASSES
from kilonova_operator.domain.scheduling.interfaces import ClassRule, RequestRule
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.domain.scheduling.prefilters.agent_version import AgentVersion
from kilonova_operator.domain.scheduling.prefilters.availability_zone import (
    AvailabilityZone,
)
from kilonova_operator.domain.scheduling.prefilters.capacity import (
    Capacity,
    OtherCapacity,
)
from kilonova_operator.domain.scheduling.prefilters.cell_enabled import CellEnabled
from kilonova_operator.domain.scheduling.prefilters.host_enabled import HostEnabled
from kilonova_operator.domain.scheduling.prefilters.host_mapped import HostMapped
from kilonova_operator.domain.scheduling.prefilters.image_traits import (
    ImageTraits,
    ImageTypeSupport,
)
from kilonova_operator.domain.scheduling.prefilters.isolated_aggregates import (
    IsolatedAggregates,
)
from kilonova_operator.domain.scheduling.prefilters.requested_hosts import (
    Forced,
    NotIgnored,
    Requested,
)
from kilonova_operator.domain.scheduling.prefilters.tenant_isolation import (
    TenantIsolation,
)
from kilonova_operator.domain.scheduling.prefilters.traits import (
    ForbiddenTraits,
    RequiredTraits,
)
from kilonova_operator.domain.scheduling.rules import (
    FILTERS,
    WEIGHERS,
    AnyFilter,
    FilterMakers,
    WeigherMakers,
    build_metrics_filter,
)
from kilonova_operator.domain.scheduling.scheduler import SchedulingRules

_METRICS_FILTER = "MetricsFilter"
_METRICS_WEIGHER = "MetricsWeigher"


class UnknownRule(KilonovaError):
    """A site enables a filter or weigher that does not exist."""

    def __init__(self, option: str, names: Iterable[str], known: Iterable[str]) -> None:
        super().__init__(
            f"{option} names {', '.join(sorted(names))}, which is not known here. "
            f"Known are {', '.join(sorted(known))}. A site's own come from an "
            "installed package's entry points."
        )


@dataclass(frozen=True, slots=True)
class Scheduling:
    """What a site chose, and the rules that come of it."""

    options: SchedulingOptions
    rules: SchedulingRules


def build_default_scheduling() -> Scheduling:
    """Return what an installation has that changes nothing."""
    return Scheduling(SchedulingOptions(), build_default_rules())


def build_default_rules() -> SchedulingRules:
    """Return the rules of an installation that changes none."""
    return build_rules(SchedulingOptions())


def build_rules(
    options: SchedulingOptions,
    *,
    site_filters: FilterMakers | None = None,
    site_weighers: WeigherMakers | None = None,
) -> SchedulingRules:
    """Return the rules that a site enables.

    Raises:
        UnknownRule: a name stands for no rule.
    """
    filters = {**FILTERS, **(site_filters or {})}
    weighers = {**WEIGHERS, **(site_weighers or {})}
    _check("enabled_filters", options.enabled_filters, filters)
    _check("weight_classes", options.weight_classes, weighers)
    return SchedulingRules(
        prefilters=_build_prefilters(options),
        filters=(
            *(filters[name](options) for name in options.enabled_filters),
            *_implied_filters(options),
        ),
        weighers=tuple(weighers[name](options) for name in options.weight_classes),
        host_subset_size=options.host_subset_size,
        shuffle_best_same_weighed_hosts=options.shuffle_best_same_weighed_hosts,
    )


def _check(option: str, names: Iterable[str], known: Iterable[str]) -> None:
    unknown = set(names).difference(known)
    if unknown:
        raise UnknownRule(option, unknown, known)


def _build_prefilters(
    options: SchedulingOptions,
) -> tuple[ClassRule | RequestRule, ...]:
    """Return what holds for forced hosts too, the cheapest and clearest first."""
    chosen = options.prefilters
    optional: list[ClassRule] = []
    if chosen.limit_tenants_to_placement_aggregate:
        required = chosen.placement_aggregate_required_for_tenants
        optional.append(TenantIsolation(required))
    if chosen.enable_isolated_aggregate_filtering:
        optional.append(IsolatedAggregates())
    if chosen.query_placement_for_image_type_support:
        optional.append(ImageTypeSupport())
    if chosen.image_metadata_prefilter:
        optional.append(ImageTraits())
    return (
        HostMapped(),
        CellEnabled(),
        HostEnabled(),
        Forced(),
        Requested(),
        NotIgnored(),
        AgentVersion(),
        AvailabilityZone(),
        *optional,
        RequiredTraits(),
        ForbiddenTraits(),
        *(Capacity(name) for name in RESOURCE_CLASSES),
        OtherCapacity(),
    )


def _implied_filters(options: SchedulingOptions) -> tuple[AnyFilter, ...]:
    """Leave out hosts without a required metric, which would fail Nova's weigher."""
    weighed = options.metrics_required and _METRICS_WEIGHER in options.weight_classes
    if not weighed or _METRICS_FILTER in options.enabled_filters:
        return ()
    metrics = build_metrics_filter(options)
    return (metrics,) if metrics.wanted else ()
