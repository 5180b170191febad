"""The parts of a running agent, and how they hear of each other."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from kilonova_agent.domain.host_report import HostIdentity, Trouble
from kilonova_agent.drivers.base import ComputeDriver
from kilonova_agent.services.build_reports import BuildReports
from kilonova_agent.services.builder import Builder
from kilonova_agent.services.canary import Canary
from kilonova_agent.services.cpu_monitor import CpuMonitor, read_no_metrics
from kilonova_agent.services.destroyer import Destroyer
from kilonova_agent.services.guest_life import GuestLife
from kilonova_agent.services.host_watch import HostFacts, HostWatch
from kilonova_agent.services.housekeeping import AgeLimits, Housekeeping
from kilonova_agent.services.instance_feed import InstanceFeed
from kilonova_agent.services.order_check import OrderCheck
from kilonova_agent.services.reconciler import Reconciler, Surroundings
from kilonova_agent.services.start_pacer import StartPacer
from kilonova_agent.services.status_writer import StatusWriter
from kilonova_agent.services.stopper import Stopper
from kilonova_agent.settings import AgentSettings
from kilonova_agent.storage.file_system import FileSystem
from kilonova_agent.storage.guest_files import GuestStore
from kilonova_agent.storage.images.address_policy import AddressPolicy
from kilonova_agent.storage.images.cache import ImageCache
from kilonova_agent.storage.images.download import Download, DownloadLimits
from kilonova_agent.storage.images.http_source import HttpSource, is_own_address
from kilonova_agent.storage.images.node_link import NodeLink
from kilonova_agent.storage.order_book import OrderBook
from kilonova_api.host_report import MonitorMetric
from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.heartbeat import Heartbeat
from kilonova_api.kube.lease_record import LeaseName
from kilonova_api.kube.workqueue import QueueSettings, WorkQueue
from kilonova_api.names import host_namespace

log = logging.getLogger(__name__)

HEARTBEAT_LEASE = "heartbeat"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Outside:
    """What the agent is given from outside."""

    settings: AgentSettings
    kube: KubeApi
    driver: ComputeDriver
    fs: FileSystem
    clock: Clock
    random: Random
    canary: Canary | None
    clock_skew_seconds: Callable[[], float | None]
    version: str


class AgentParts:
    """Every part, built once for one run."""

    def __init__(self, outside: Outside, orders: OrderBook) -> None:
        self._outside = outside
        self._orders = orders
        self._settings = outside.settings
        settings, clock, random = outside.settings, outside.clock, outside.random
        namespace = host_namespace(settings.node_name)
        self.store = GuestStore(outside.fs, settings.state_dir)
        self.images = self._make_images()
        self.feed = InstanceFeed(
            outside.kube, namespace, orders, clock=clock, random=random
        )
        self.watch = self._make_watch()
        self.reconciler = self._make_reconciler()
        self.queue: WorkQueue[str] = WorkQueue(
            "instances",
            self.reconciler.reconcile,
            clock=clock,
            random=random,
            settings=QueueSettings(workers=settings.workers),
        )
        self.housekeeping = self._make_housekeeping()
        self.heartbeat = Heartbeat(
            outside.kube,
            LeaseName(namespace, HEARTBEAT_LEASE, settings.node_name),
            clock=clock,
            random=random,
        )
        self._connect()

    async def resync(self) -> None:
        """Look at every guest now and then: events may have been lost."""
        outside = self._outside
        while True:
            jitter = outside.random.uniform(0.8, 1.2)
            await outside.clock.sleep(self._settings.resync_seconds * jitter)
            self._look_at_all()

    def _connect(self) -> None:
        self.feed.on_change(ordered=self.queue.add, gone=self._on_gone)
        self.images.on_done(self.queue.add)
        self.watch.on_standing(self._look_at_all)
        self._outside.driver.on_event(self._on_event)
        if self._outside.canary is not None:
            self._outside.canary.on_change(self.watch.hurry)

    def _look_again(self, name: str, seconds: float) -> None:
        self.queue.add_after(name, seconds)

    def _on_gone(self, name: str) -> None:
        self.reconciler.forget(name)
        self.watch.hurry()

    def _on_event(self, uuid: str | None) -> None:
        if uuid is None:
            self.watch.forget_inventory()
            self._look_at_all()
        elif self.feed.find(uuid) is not None:
            self.queue.add(uuid)
        else:  # a guest that no Instance speaks of is in the host's report
            self.watch.hurry()

    def _look_at_all(self) -> None:
        for name in self.feed.list_names() or ():
            self.queue.add(name)

    def _list_instances_if_sure(self) -> list[Instance] | None:
        standing = self.watch.standing
        if standing is None or not standing.accepted:
            return None
        return self.feed.list_all()

    def _is_clock_skewed(self) -> bool:
        skew = self._outside.clock_skew_seconds()
        return skew is not None and abs(skew) > self._settings.max_clock_skew_seconds

    def _list_troubles(self) -> Iterator[Trouble]:
        canary = self._outside.canary
        if canary is not None and canary.policy_missing:
            yield Trouble(
                "PolicyMissing",
                "The policies that keep one host from another's identity do not bite: "
                "this agent was given the token of the canary account. Install the "
                "chart's policies, then restart the agents.",
            )
        if self._is_clock_skewed():
            yield Trouble(
                "ClockSkewed",
                "The host's clock is more than "
                f"{self._settings.max_clock_skew_seconds:.0f} s off the API server's. "
                "Set it right; nothing is aged out until then.",
            )
        if any(i.spec.writer <= self._orders.frozen_writer for i in self._feed_now()):
            yield Trouble(
                "StoreWentBack",
                "The API server's store went back to an older state. Orders written "
                "before that are not acted on until a new leader rewrites them.",
            )

    def _feed_now(self) -> list[Instance]:
        return self.feed.list_all() or []

    def _make_images(self) -> ImageCache:
        settings, outside = self._settings, self._outside
        policy = AddressPolicy(
            forbidden=settings.forbidden_ranges,
            allowed=settings.images_allowed_ranges,
            is_own=is_own_address,
            is_neighbour=NodeLink(settings.node_ip).has,
        )
        limits = DownloadLimits(
            max_bytes=settings.image_max_bytes,
            min_free_bytes=settings.min_free_disk_bytes,
            timeout_seconds=settings.image_timeout_seconds,
        )
        fs, clock, random = outside.fs, outside.clock, outside.random
        source = HttpSource(policy)
        download = Download(source, limits, fs=fs, clock=clock, random=random)
        folder = settings.state_dir / "images"
        return ImageCache(folder, download, fs=fs, clock=clock, random=random)

    def _make_watch(self) -> HostWatch:
        settings, outside = self._settings, self._outside
        return HostWatch(
            outside.kube,
            outside.driver,
            HostFacts(
                self.feed.list_names, self._list_troubles, self._choose_monitor()
            ),
            node_name=settings.node_name,
            identity=HostIdentity(
                host_id=self._orders.host_id,
                boot_id=_BOOT_ID.read_text().strip(),
                node_uid=settings.node_uid,
                agent_version=outside.version,
            ),
            state_dir=settings.state_dir,
            poll_seconds=settings.host_poll_seconds,
            clock=outside.clock,
            random=outside.random,
        )

    def _choose_monitor(self) -> Callable[[], Awaitable[tuple[MonitorMetric, ...]]]:
        if "cpu.virt_driver" in self._settings.compute_monitors:
            return CpuMonitor(self._outside.driver, self._outside.clock).read
        return read_no_metrics

    def _make_reconciler(self) -> Reconciler:
        settings, outside, orders = self._settings, self._outside, self._orders
        kube, driver, clock = outside.kube, outside.driver, outside.clock
        statuses = StatusWriter(kube, clock, agent_version=outside.version)
        builds = BuildReports(
            statuses, clock, after_seconds=settings.build_report_after_seconds
        )
        return Reconciler(
            Surroundings(
                find_instance=self.feed.find,
                find_standing=lambda: self.watch.standing,
                is_current=OrderCheck(kube, clock, self.feed.get_heard_at).is_current,
                look_again=self._look_again,
                agent_version=outside.version,
            ),
            driver=driver,
            orders=orders,
            store=self.store,
            life=self._make_life(builds),
            destroyer=Destroyer(kube, driver, orders, self.store),
            builds=builds,
            statuses=statuses,
        )

    def _make_life(self, builds: BuildReports) -> GuestLife:
        settings, outside, orders = self._settings, self._outside, self._orders
        kube, driver, clock = outside.kube, outside.driver, outside.clock
        return GuestLife(
            driver=driver,
            orders=orders,
            builder=Builder(kube, driver, orders, self.store, self.images, clock),
            builds=builds,
            stopper=Stopper(
                driver,
                clock,
                timeout_seconds=settings.shutdown_timeout_seconds,
                retry_seconds=settings.shutdown_retry_seconds,
            ),
            pacer=StartPacer(clock, outside.random),
            clock=clock,
        )

    def _make_housekeeping(self) -> Housekeeping:
        settings, outside = self._settings, self._outside
        return Housekeeping(
            fs=outside.fs,
            state_dir=settings.state_dir,
            driver=outside.driver,
            store=self.store,
            images=self.images,
            limits=AgeLimits(
                reclaim_after_seconds=settings.reclaim_after_seconds,
                bin_min_free_percent=settings.bin_min_free_percent,
                image_unused_seconds=settings.image_unused_seconds,
            ),
            list_instances=self._list_instances_if_sure,
            may_age_out=lambda: not self._is_clock_skewed(),
            clock=outside.clock,
            random=outside.random,
        )
