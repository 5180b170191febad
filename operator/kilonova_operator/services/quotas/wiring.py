"""Puts together what is known of quotas."""

from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.quota import QuotaLimits
from kilonova_operator.services.control.counted_status import CountedStatus
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.quotas.directory import QuotaDirectory
from kilonova_operator.services.quotas.reconciler import QuotaReconciler
from kilonova_operator.settings import Settings
from kilonova_operator.storage.kubernetes.statuses import StatusWriter


def build_quota_controller(context: ProcessContext) -> Controller:
    """Return the controller of quotas."""
    reconciler = QuotaReconciler(
        kube=context.kube,
        store=context.stores.api,
        directory=build_quota_directory(context),
        status=CountedStatus(
            StatusWriter(context.kube, SUPER_FIELD_MANAGER),
            CountPacer(context.clock, context.settings.count_interval_seconds),
        ),
        now=context.clock.utcnow,
    )
    return Controller("quotas", reconciler.reconcile, (Feed(FeedKind.QUOTAS),), 2)


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
