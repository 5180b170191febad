"""Controllers of Networks and ClusterNetworks."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network

from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_api.network import ClusterNetwork, Network
from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.addressing import NetworkRequest
from kilonova_operator.domain.networks.requests import (
    RangePolicy,
    build_cluster_network_request,
    build_network_request,
)
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.networks.node_ranges import NodeRanges
from kilonova_operator.services.networks.reconciler import N, NetworkReconciler
from kilonova_operator.services.networks.refused import RefusedNetworks
from kilonova_operator.services.networks.sweep import NetworkSweep
from kilonova_operator.settings import API_DATABASE, Settings
from kilonova_operator.storage.kubernetes.statuses import StatusWriter

_KINDS = {
    Network.__name__: FeedKind.NETWORKS,
    ClusterNetwork.__name__: FeedKind.CLUSTER_NETWORKS,
}


def build_network_controllers(context: ProcessContext) -> Sequence[Controller]:
    """Build one controller a kind, and the sweep of what neither sees."""
    nodes = NodeRanges(lambda: context.informers.nodes.items().values())
    refused = RefusedNetworks(context.feeds.publish)
    tenants = _build(
        context,
        refused,
        Network,
        build_request=lambda network: build_network_request(
            network, build_range_policy(context.settings, nodes.find())
        ),
    )
    hosts = _build(
        context, refused, ClusterNetwork, build_request=build_cluster_network_request
    )
    sweep = NetworkSweep(
        kube=context.kube,
        store=context.stores.api,
        term=lambda: context.leadership.term(API_DATABASE),
        refused=refused,
    )
    return (
        Controller("networks-sweep", sweep.reconcile, (Feed(FeedKind.CELLS),), 1),
        Controller("networks", tenants.reconcile, (Feed(FeedKind.NETWORKS),), 2),
        Controller(
            "clusternetworks", hosts.reconcile, (Feed(FeedKind.CLUSTER_NETWORKS),), 2
        ),
    )


def build_range_policy(
    settings: Settings, nodes: tuple[IPv4Network, ...]
) -> RangePolicy:
    """Return where tenants' ranges come from; never from what Nodes use."""
    return RangePolicy(
        pool=settings.network_pool,
        pool_prefix=settings.network_pool_prefix,
        forbidden=(*settings.forbidden_ranges, *nodes),
    )


def _build(
    context: ProcessContext,
    refused: RefusedNetworks,
    model: type[N],
    *,
    build_request: Callable[[N], NetworkRequest],
) -> NetworkReconciler[N]:
    return NetworkReconciler(
        kube=context.kube,
        model=model,
        build_request=build_request,
        store=context.stores.api,
        term=lambda: context.leadership.term(API_DATABASE),
        statuses=StatusWriter(context.kube, SUPER_FIELD_MANAGER),
        pacer=CountPacer(context.clock, context.settings.count_interval_seconds),
        clock=context.clock,
        kind=_KINDS[model.__name__],
        refused=refused,
    )
