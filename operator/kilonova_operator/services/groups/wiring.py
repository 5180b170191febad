"""Controllers of ServerGroups."""

from collections.abc import Sequence

from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.context import ProcessContext
from kilonova_operator.services.control.counted_status import CountedStatus
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.control.server_time import build_server_time
from kilonova_operator.services.groups.reconciler import GroupReconciler
from kilonova_operator.services.groups.sweep import GroupSweep
from kilonova_operator.settings import API_DATABASE
from kilonova_operator.storage.kubernetes.statuses import StatusWriter


def build_group_controllers(context: ProcessContext) -> Sequence[Controller]:
    """Build the controller of groups, and the sweep of what it cannot see."""
    groups = GroupReconciler(
        kube=context.kube,
        informers=context.informers,
        status=CountedStatus(
            StatusWriter(context.kube, SUPER_FIELD_MANAGER),
            CountPacer(context.clock, context.settings.count_interval_seconds),
        ),
        options=context.scheduling.options,
        now=build_server_time(context.kube, context.clock).now,
    )
    sweep = GroupSweep(
        kube=context.kube,
        store=context.stores.api,
        term=lambda: context.leadership.term(API_DATABASE),
    )
    return (
        Controller("groups", groups.reconcile, (Feed(FeedKind.GROUPS),), 2),
        Controller("groups-sweep", sweep.reconcile, (Feed(FeedKind.CELLS),), 1),
    )
