"""Puts together what the role super does for Servers."""

from collections.abc import Sequence
from functools import partial

from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.scheduling.scheduler import SchedulingRules
from kilonova_operator.roles import SUPER
from kilonova_operator.services.aggregates.index import AggregateIndex
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.control.server_time import build_server_time
from kilonova_operator.services.quotas.wiring import build_quota_directory
from kilonova_operator.services.servers.admin_wiring import register_admin_verbs
from kilonova_operator.services.servers.adopt import Adopter
from kilonova_operator.services.servers.claiming import HostClaimer
from kilonova_operator.services.servers.conclude import Concluder
from kilonova_operator.services.servers.crd_health import CrdHealth
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.group_looks import GroupLooks
from kilonova_operator.services.servers.group_members import GroupMembers
from kilonova_operator.services.servers.group_refusals import Refused
from kilonova_operator.services.servers.host_load import HostLoad
from kilonova_operator.services.servers.host_recorder import HostRecorder
from kilonova_operator.services.servers.hosts import HostDirectory
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.place import Placer
from kilonova_operator.services.servers.placement_status import PlacementStatus
from kilonova_operator.services.servers.ranking import HostRanking
from kilonova_operator.services.servers.requests import RequestBuilder
from kilonova_operator.services.servers.shared_wiring import (
    build_duty,
    build_lost_servers,
    build_patience,
    build_view,
    read_server_uids,
)
from kilonova_operator.services.servers.super_reconciler import SuperReconciler
from kilonova_operator.services.servers.sweep import SuperSweep
from kilonova_operator.services.servers.together import GroupPlacer
from kilonova_operator.services.servers.unknown_guests import UnknownGuests
from kilonova_operator.services.servers.unplaced import Unplaced
from kilonova_operator.services.servers.vanished import VanishedServers
from kilonova_operator.services.servers.wakes import follow_servers
from kilonova_operator.settings import API_DATABASE
from kilonova_operator.storage.kubernetes.statuses import StatusWriter

_WORKERS = 8


def build_super_controllers(context: ProcessContext) -> Sequence[Controller]:
    """Build what the role super does for Servers."""
    follow_servers(context)
    recorder = _build_recorder(context)
    reconciler = _build_reconciler(context, recorder)
    sweep = SuperSweep(
        api=context.stores.api,
        feeds=context.feeds,
        server_uids=read_server_uids(context),
        lost=build_lost_servers(context),
        vanished=VanishedServers(
            kube=context.kube,
            api=context.stores.api,
            duty=build_duty(context, SUPER, API_DATABASE),
            crds=CrdHealth(context.kube),
        ),
    )
    servers, records = (Feed(FeedKind.SERVERS),), (Feed(FeedKind.HOST_RECORDS),)
    return (
        Controller("servers", reconciler.reconcile, servers, workers=_WORKERS),
        Controller("host-records", recorder.reconcile, records, workers=1),
        Controller("servers-sweep", sweep.reconcile, (Feed(FeedKind.CELLS),), 1),
    )


def _build_recorder(context: ProcessContext) -> HostRecorder:
    return HostRecorder(
        api=context.stores.api,
        duty=build_duty(context, SUPER, API_DATABASE),
        clock=context.clock,
        wake=partial(context.feeds.publish, FeedKind.HOST_RECORDS),
    )


def _build_reconciler(
    context: ProcessContext, recorder: HostRecorder
) -> SuperReconciler:
    duty = build_duty(context, SUPER, API_DATABASE)
    instances = build_view(context)
    scheduling = context.scheduling
    rules = scheduling.rules
    ranking = _build_ranking(context, rules)
    hosts = HostDirectory(context.informers.compute_hosts)
    statuses = PlacementStatus(
        writer=StatusWriter(context.kube, SUPER_FIELD_MANAGER),
        hosts=hosts,
        feeds=context.feeds,
        now=build_server_time(context.kube, context.clock).now,
    )
    claimer = HostClaimer(
        api=context.stores.api,
        duty=duty,
        requests=RequestBuilder(
            rules, scheduling.options, ranking.placements, context.informers.servers
        ),
        ranking=ranking,
        instances=instances,
        unknown=UnknownGuests(context.informers.compute_hosts),
        quotas=build_quota_directory(context),
        recorder=recorder,
    )
    register_admin_verbs(context, claimer)
    return SuperReconciler(
        kube=context.kube,
        api=context.stores.api,
        duty=duty,
        placer=_build_placer(context, duty, claimer, statuses),
        concluder=_build_concluder(
            context, duty, instances=instances, hosts=hosts, ranking=ranking
        ),
        adopter=Adopter(
            kube=context.kube,
            api=context.stores.api,
            duty=duty,
            instances=instances,
            placements=ranking.placements,
            numa=ranking.numa,
            feeds=context.feeds,
        ),
        statuses=statuses,
        instances=instances,
    )


def _build_placer(
    context: ProcessContext,
    duty: Duty,
    claimer: HostClaimer,
    statuses: PlacementStatus,
) -> Placer:
    references = ReferenceReader(context.kube)
    return Placer(
        api=context.stores.api,
        duty=duty,
        references=references,
        claimer=claimer,
        groups=_build_group_placer(context, references, claimer),
        statuses=statuses,
        unplaced=Unplaced(
            api=context.stores.api,
            duty=duty,
            recorder=claimer.recorder,
            statuses=statuses,
            patience=build_patience(context),
            now=statuses.now,
        ),
        waiting=context.waiting,
    )


def _build_group_placer(
    context: ProcessContext, references: ReferenceReader, claimer: HostClaimer
) -> GroupPlacer:
    looks = GroupLooks[Refused](context.clock, context.random, context.waiting)
    return GroupPlacer(
        members=GroupMembers(
            kube=context.kube,
            references=references,
            index=context.informers.servers,
            claimer=claimer,
            looks=looks,
        ),
        claimer=claimer,
        feeds=context.feeds,
        looks=looks,
    )


def _build_concluder(
    context: ProcessContext,
    duty: Duty,
    *,
    instances: InstanceView,
    hosts: HostDirectory,
    ranking: HostRanking,
) -> Concluder:
    return Concluder(
        kube=context.kube,
        api=context.stores.api,
        cells=context.stores.cells,
        duty=duty,
        crds=CrdHealth(context.kube),
        instances=instances,
        hosts=hosts,
        ranking=ranking,
        waiting=context.waiting,
        feeds=context.feeds,
    )


def _build_ranking(context: ProcessContext, rules: SchedulingRules) -> HostRanking:
    ranking = HostRanking(
        rules=rules,
        hosts=context.informers.compute_hosts,
        api=context.stores.api,
        clock=context.clock,
        random=context.random,
        build_facts=context.aggregates.build_facts,
    )
    context.informers.compute_hosts.on_change(ranking.host_changed)
    context.freeze.on_lifted(ranking.forget)
    ranking.load_hosts()
    _follow_instances(context, ranking)
    _follow_aggregates(context.aggregates, ranking)
    return ranking


def _follow_instances(context: ProcessContext, ranking: HostRanking) -> None:
    """Let builds under way, builds that failed and images count."""
    weighed = context.scheduling.options.multipliers.image_props_weight_multiplier
    load = HostLoad(ranking, counts_images=weighed != 0.0)
    context.informers.instances.on_change(load.instance_changed)
    context.informers.compute_hosts.on_change(load.host_changed)
    for key, instance in context.informers.instances.items().items():
        load.instance_changed(key, None, instance)


def _follow_aggregates(aggregates: AggregateIndex, ranking: HostRanking) -> None:
    """Let hosts and aggregates that change be judged anew."""

    def changed(_aggregate: str) -> None:
        ranking.set_aggregates(aggregates.all_facts())

    def shared_changed() -> None:
        ranking.shared.stale = True

    aggregates.on_host(ranking.facts_changed)
    aggregates.on_aggregate(changed)
    aggregates.on_shared(shared_changed)
    ranking.set_aggregates(aggregates.all_facts())
