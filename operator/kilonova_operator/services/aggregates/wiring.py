"""Controllers of HostAggregates."""

from dataclasses import dataclass

from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.context import ProcessContext
from kilonova_operator.services.aggregates.reconciler import AggregateReconciler
from kilonova_operator.services.aggregates.shared import SharedResources
from kilonova_operator.services.control.counted_status import CountedStatus
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.settings import API_DATABASE
from kilonova_operator.storage.kubernetes.statuses import StatusWriter


@dataclass(frozen=True, slots=True)
class AggregateServices:
    """The services around aggregates, as other services use them."""

    reconciler: AggregateReconciler
    shared: SharedResources

    def build_controllers(self) -> tuple[Controller, ...]:
        """Return the controller of aggregates, and its sweep."""
        return (
            Controller(
                "aggregates",
                self.reconciler.reconcile,
                (Feed(FeedKind.AGGREGATES),),
                2,
            ),
            Controller(
                "aggregates-sweep", self.reconciler.sweep, (Feed(FeedKind.CELLS),), 1
            ),
        )


def build_aggregate_services(context: ProcessContext) -> AggregateServices:
    """Build them; they work once the role super is held."""

    def changed() -> None:
        context.aggregates.shared_changed()
        context.waiting.capacity_changed()

    shared = SharedResources(
        store=context.stores.api,
        term=lambda: context.leadership.term(API_DATABASE),
        on_change=changed,
    )
    reconciler = AggregateReconciler(
        kube=context.kube,
        index=context.aggregates,
        hosts=context.informers.compute_hosts,
        shared=shared,
        status=CountedStatus(
            StatusWriter(context.kube, SUPER_FIELD_MANAGER),
            CountPacer(context.clock, context.settings.count_interval_seconds),
        ),
        now=context.clock.utcnow,
    )
    return AggregateServices(reconciler, shared)
