"""Puts the process's singletons together; nothing here runs or reads."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from uuid import uuid4

from kilonova_api.instance import Instance
from kilonova_api.kube.informer import Informer
from kilonova_api.kube.lease import LeaseElector, LeaseSettings
from kilonova_api.kube.lease_record import LeaseName
from kilonova_api.names import holder_identity, role_lease
from kilonova_operator.context import ProcessContext, Stores
from kilonova_operator.process.parts import Parts
from kilonova_operator.process.sources import Sources
from kilonova_operator.services.admin_verbs import AdminVerbs
from kilonova_operator.services.aggregates.index import AggregateIndex
from kilonova_operator.services.control.feeds import FeedKind, Feeds
from kilonova_operator.services.control.waiting import Waiting
from kilonova_operator.services.hosts.heartbeats import HeartbeatMonitor
from kilonova_operator.services.informers import build_informers
from kilonova_operator.services.leadership import Leadership
from kilonova_operator.services.servers.lost_servers import LostNotes
from kilonova_operator.services.store_freeze import Freeze
from kilonova_operator.settings import Settings


def build_context(
    settings: Settings, parts: Parts, stores: Stores, *, cluster_uid: str, floor: int
) -> ProcessContext:
    """Build the context. ``floor``: the version of our kinds as it is now."""
    feeds = Feeds()
    informers = build_informers(
        parts.kube, clock=parts.clock, random=parts.random, floor=floor
    )
    return ProcessContext(
        settings=settings,
        kube=parts.kube,
        clock=parts.clock,
        random=parts.random,
        stores=stores,
        informers=informers,
        aggregates=AggregateIndex(
            aggregates=informers.host_aggregates,
            hosts=informers.compute_hosts,
            nodes=informers.nodes,
        ),
        feeds=feeds,
        waiting=Waiting(
            lambda key: feeds.publish(FeedKind.SERVERS, key),
            later=_call_later,
            random=parts.random,
        ),
        leadership=build_leadership(settings, parts, stores, informers.instances),
        freeze=Freeze(),
        lost=LostNotes(),
        admin=AdminVerbs(),
        cluster_uid=cluster_uid,
        scheduling=parts.scheduling,
    )


def _call_later(seconds: float, call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, call)


def build_leadership(
    settings: Settings, parts: Parts, stores: Stores, instances: Informer[Instance]
) -> Leadership:
    """Build the Leases; each process is a holder of its own, also after a restart."""
    identity = holder_identity(settings.pod_name, uuid4().hex[:8])

    def build_elector(
        role: str, annotations: Callable[[], Mapping[str, str]]
    ) -> LeaseElector:
        lease = role_lease(settings.release, role)
        return LeaseElector(
            parts.kube,
            LeaseName(settings.namespace, lease, identity),
            clock=parts.clock,
            random=parts.random,
            settings=build_lease_settings(settings.lease_seconds),
            notes=annotations,
        )

    return Leadership(
        build_elector,
        stores.all(),
        prepare=stores.prepare,
        identity=identity,
        clock=parts.clock,
        random=parts.random,
        find_highest_term=lambda database: find_highest_writer(
            instances.items().values(), database
        ),
    )


def find_highest_writer(instances: Iterable[Instance], cell: str) -> int:
    """Return the highest term under which hosts of a cell were told anything."""
    writers = (i.spec.writer for i in instances if i.spec.cell == cell)
    return max(writers, default=0)


def build_lease_settings(duration_seconds: float) -> LeaseSettings:
    """Return times that keep their proportions for any duration."""
    return LeaseSettings(
        duration_seconds=round(duration_seconds),
        renew_seconds=duration_seconds * 4 / 15,
        retry_seconds=duration_seconds / 15,
        attempt_seconds=duration_seconds * 4 / 15,
    )


def connect_sources(context: ProcessContext, heartbeats: HeartbeatMonitor) -> None:
    """Let informers feed the queues; before they run."""
    Sources(
        informers=context.informers,
        feeds=context.feeds,
        waiting=context.waiting,
        aggregates=context.aggregates,
        hear_heartbeat=lambda namespace, version, born: heartbeats.hear(
            namespace, version, born=born
        ),
    ).connect()
