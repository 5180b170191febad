"""A ServerQuota as claims read it, and what is said of it."""

from kilonova_api.server_quota import ServerQuotaSpec
from kilonova_operator.domain.quota import QuotaLimits


def build_limits(spec: ServerQuotaSpec) -> QuotaLimits:
    """Return the limits; what is left out has none."""
    return QuotaLimits(spec.instances, spec.cores, spec.ram_mib)
