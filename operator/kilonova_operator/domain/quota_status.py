"""A ServerQuota as claims read it, and what is said of it."""

from datetime import datetime

from kilonova_api.server_quota import ServerQuota, ServerQuotaSpec, ServerQuotaStatus
from kilonova_operator.domain.conditions import (
    Judgement,
    build_condition,
    build_conditions,
    ready,
)
from kilonova_operator.domain.quota import QuotaLimits, Usage

OVER_QUOTA = "OverQuota"
_NAMES = {"instances": "instances", "cores": "cores", "ram_mib": "ramMiB"}
"""The fields of the object, by those of limits and usage."""


def build_limits(spec: ServerQuotaSpec) -> QuotaLimits:
    """Return the limits; what is left out has none."""
    return QuotaLimits(spec.instances, spec.cores, spec.ram_mib)


def build_quota_status(
    quota: ServerQuota, used: Usage, *, now: datetime
) -> ServerQuotaStatus:
    """Return what is used of what is allowed; OverQuota where it is more."""
    limits, generation = build_limits(quota.spec), quota.metadata.generation
    shown = quota.status
    conditions = build_conditions(
        ready("Counted"), current=shown.conditions, generation=generation, now=now
    )
    over = [n for n in QuotaLimits.RESOURCES if _is_over(n, used, limits)]
    if over:
        beside = build_condition(
            OVER_QUOTA,
            _tell_over(over),
            current=shown.condition(OVER_QUOTA),
            generation=generation,
            now=now,
        )
        conditions = (*conditions, beside)
    return ServerQuotaStatus(
        observed_generation=generation,
        conditions=conditions,
        instances=tell_use(used.instances, limits.instances),
        cores=tell_use(used.cores, limits.cores),
        ram_mib=tell_use(used.ram_mib, limits.ram_mib),
    )


def _is_over(name: str, used: Usage, limits: QuotaLimits) -> bool:
    limit: int | None = getattr(limits, name)
    return limit is not None and getattr(used, name) > limit


def tell_use(used: int, limit: int | None) -> str:
    """Return what is used of what is allowed, as 5/20; without a limit, as 5."""
    return str(used) if limit is None else f"{used}/{limit}"


def _tell_over(names: list[str]) -> Judgement:
    # Without figures: they change with every Server, and stand in the columns.
    fields = " and ".join(f"spec.{_NAMES[name]}" for name in names)
    return Judgement(
        "True",
        OVER_QUOTA,
        f"More is in use than {fields} allows: nobody is stopped, and no new Server is "
        "placed that takes of it. Delete Servers, or raise the quota.",
    )
