"""The link's upkeep of a guest that is to live: its order, made or followed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from kilonova_api.instance import Instance
from kilonova_api.instance_spec import InstanceSpec
from kilonova_api.kube.api import KubeApi
from kilonova_api.names import host_namespace
from kilonova_api.server import Server
from kilonova_operator.domain.order_book import Action
from kilonova_operator.domain.placement import Claim, InstanceMapping
from kilonova_operator.domain.servers.actions import (
    CREATE,
    build_action,
    power_action,
)
from kilonova_operator.domain.servers.faults import USER_DATA_MISSING
from kilonova_operator.domain.servers.guest_cpus import (
    GuestCpus,
    build_guest_cpus,
    tells_cpus,
)
from kilonova_operator.domain.servers.guest_facts import GuestFacts
from kilonova_operator.domain.servers.instance_spec import Order, build_order, sha256_of
from kilonova_operator.domain.servers.lost import SERVER_LOST, is_marked_lost
from kilonova_operator.domain.servers.order_update import (
    build_confirmation,
    build_repeat,
    build_update,
)
from kilonova_operator.domain.servers.references import (
    Problem,
    find_problem,
    resolve_user_data,
)
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.former_hosts import FormerHosts
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.hosts import HostDirectory
from kilonova_operator.services.servers.orders import OrderWriter, find_booked_spec
from kilonova_operator.services.servers.placement_status import build_place
from kilonova_operator.services.stores import ApiStore, CellStore


class OrderImpossible(Exception):
    """The order cannot be built now: something it needs went away after the claim."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


@dataclass(frozen=True, slots=True)
class Link:
    """Keeps the current Instance of a guest as it has to be."""

    kube: KubeApi
    api: ApiStore
    store: CellStore
    duty: Duty
    references: ReferenceReader
    orders: OrderWriter
    former: FormerHosts
    hosts: HostDirectory
    cluster_uid: str
    now: Callable[[], datetime]

    async def ensure(self, facts: GuestFacts, mapping: InstanceMapping) -> Instance:
        """Return the guest's current Instance, made or brought up to date.

        Raises:
            OrderImpossible: there is none and none can be built.
            FormerHostsUnproven: there is none, and it must not be built yet.
        """
        current = facts.current or await self.find_unseen(mapping)
        if current is None:
            return await self._create(facts, mapping)
        if facts.server is None or facts.server.spec.suspend:
            return current
        await self._ensure_user_data(facts.server, current)
        return await self._follow(facts.server, mapping, current)

    async def repeat_end(
        self, facts: GuestFacts, mapping: InstanceMapping, spec: InstanceSpec
    ) -> None:
        """Give an order to end once more: its Instance went without proof."""
        await self.orders.repeat_end(mapping.instance_uuid, spec, server=facts.server)

    async def find_unseen(self, mapping: InstanceMapping) -> Instance | None:
        """Look where the informer may lag: what exists is never made anew."""
        obj = await self.kube.find(
            Instance.resource(),
            host_namespace(mapping.host or ""),
            mapping.instance_uuid,
        )
        return None if obj is None else Instance.model_validate(obj)

    async def _create(self, facts: GuestFacts, mapping: InstanceMapping) -> Instance:
        booking = await self.store.find_instance(mapping.instance_uuid)
        booked = find_booked_spec(booking, mapping)
        if facts.server is None:
            await self._check_not_lost(mapping)
        if booked is not None:
            return await self._repeat(facts, mapping, booked)
        if facts.server is None:
            raise OrderImpossible(
                Problem("OrderLost", "neither the Server nor its order is known")
            )
        await self.former.check_idle(mapping)
        order = await self._build(facts.server, mapping)
        instance = await self.orders.create(
            mapping.instance_uuid,
            order.spec,
            server=facts.server,
            action=self._created(facts.server, mapping),
        )
        if order.user_data is not None:
            await self.orders.write_user_data(instance, order.user_data)
        return instance

    async def _check_not_lost(self, mapping: InstanceMapping) -> None:
        """Refuse to order what a restored row alone knows: it may be deleted."""
        if is_marked_lost(await self.api.list_decisions(mapping.server.uid)):
            raise OrderImpossible(
                Problem(SERVER_LOST, "only a restored row knows the Server")
            )

    async def _repeat(
        self, facts: GuestFacts, mapping: InstanceMapping, booked: InstanceSpec
    ) -> Instance:
        """Give a booked order again: never written, or lost with its namespace."""
        writer = self.duty.term().number
        spec = build_repeat(booked, mapping.server, writer=writer)
        server = facts.server
        if server is not None and not server.spec.suspend:
            spec = build_update(spec, server, mapping, writer=writer) or spec
        instance = await self.orders.create(
            mapping.instance_uuid, spec, server=server, action=None
        )
        if server is not None:
            await self._write_user_data(server, instance)
        return instance

    async def _build(self, server: Server, mapping: InstanceMapping) -> Order:
        claim = await self.api.find_claim(server.metadata.uid)
        found = await self.references.read(server)
        problem = find_problem(server, found)
        if problem is not None:
            raise OrderImpossible(problem)
        if claim is None or claim.placement_generation != mapping.placement_generation:
            raise OrderImpossible(
                Problem("Building", "The placement just changed.", waits=True)
            )
        place = build_place(claim, self.hosts.zone(claim.host))
        return build_order(
            server,
            found,
            replace(place, cpus=self._find_cpus(claim)),
            cluster_uid=self.cluster_uid,
            writer=self.duty.term().number,
        )

    def _find_cpus(self, claim: Claim) -> GuestCpus:
        """Return where the guest runs: for its whole life there, so never a guess.

        Raises:
            OrderImpossible: this process has not heard of the host's CPUs yet.
        """
        host = self.hosts.find(claim.host)
        if host is None or not tells_cpus(host, claim.numa):
            raise OrderImpossible(
                Problem(
                    "Building",
                    f"What CPUs host {claim.host} has is not known yet.",
                    waits=True,
                )
            )
        return build_guest_cpus(claim.numa, host)

    async def _follow(
        self, server: Server, mapping: InstanceMapping, current: Instance
    ) -> Instance:
        writer = self.duty.term().number
        wanted = build_update(
            current.spec, server, mapping, writer=writer
        ) or build_confirmation(current, server, mapping, writer=writer)
        if wanted is None or current.spec.destroy is not None:
            return current
        action = power_action(current.spec.power_state, wanted.power_state)
        return await self.orders.change(
            current,
            wanted,
            server=server,
            action=self._power_changed(server, current, action),
        )

    async def _ensure_user_data(self, server: Server, current: Instance) -> None:
        """Write a Secret that is missing while it may still be asked for.

        Once its guest was started nobody needs it, but an order is to be whole
        however long it lacked its Secret: an operator may have ended between the
        two, or the Secret was refused when the host's namespace had just come back.
        """
        if current.spec.user_data is None or not _may_need_user_data(current):
            return
        if not await self.orders.find_user_data(current):
            await self._write_user_data(server, current)

    async def _write_user_data(self, server: Server, instance: Instance) -> None:
        named = instance.spec.user_data
        if named is None:
            return
        found = await self.references.read(server)
        data = resolve_user_data(server, found)
        # What was edited since is not what the guest was ordered with.
        if data is not None and sha256_of(data) == named.sha256:
            await self.orders.write_user_data(instance, data)

    def _created(self, server: Server, mapping: InstanceMapping) -> Action:
        return build_action(
            CREATE,
            mapping.instance_uuid,
            mapping.placement_generation,
            server=server,
            started_at=self.now(),
            host=mapping.host,
        )

    def _power_changed(
        self, server: Server, current: Instance, action: str | None
    ) -> Action | None:
        if action is None:
            return None
        return build_action(
            action,
            current.metadata.name,
            server.metadata.generation,
            server=server,
            started_at=self.now(),
            host=current.spec.host,
        )


def _may_need_user_data(instance: Instance) -> bool:
    """Tell whether the guest was never started on this very Instance, or asks.

    That it is built is no answer: its disks are, before the user data is read.
    """
    status, made_at = instance.status, instance.metadata.creation_timestamp
    if status.fault is not None and status.fault.reason == USER_DATA_MISSING:
        return True
    launched_at = status.launched_at
    return launched_at is None or made_at is None or launched_at < made_at
