"""Puts together what is known of quotas."""

from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.quota import QuotaLimits
from kilonova_operator.services.quotas.directory import QuotaDirectory
from kilonova_operator.settings import Settings


def build_quota_directory(context: ProcessContext) -> QuotaDirectory:
    """Return who may use how much."""
    return QuotaDirectory(
        quotas=context.informers.server_quotas,
        namespaces=context.informers.namespaces,
        kube=context.kube,
        default=build_default_limits(context.settings),
    )


def build_default_limits(settings: Settings) -> QuotaLimits:
    """Return what a namespace without a ServerQuota may use."""
    return QuotaLimits(
        settings.quota_instances, settings.quota_cores, settings.quota_ram_mib
    )
