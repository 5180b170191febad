"""Writing Instances: the orders of a cell to its hosts."""

from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kilonova_api.instance import Instance
from kilonova_api.instance_spec import DestroyOrder, InstanceSpec
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.errors import NotFound
from kilonova_api.kube.resources import SECRET
from kilonova_api.names import API_VERSION, cell_field_manager, host_namespace
from kilonova_api.server import Server
from kilonova_operator.domain.order_book import Action, Booking
from kilonova_operator.domain.placement import InstanceMapping, ServerRef
from kilonova_operator.domain.servers.guest_end import ORDERED
from kilonova_operator.domain.servers.guest_step import Ending
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.stores import CellStore

_USER_DATA_KEY = "userData"


@dataclass(frozen=True, slots=True)
class OrderWriter:
    """Books each order, then writes it: a lost object can be given again."""

    kube: KubeApi
    cell: str
    store: CellStore
    duty: Duty
    instances: InstanceView
    now: Callable[[], datetime]

    async def create(
        self,
        name: str,
        spec: InstanceSpec,
        *,
        server: Server | None,
        action: Action | None,
    ) -> Instance:
        """Book an order and give it to a host that has none of that name."""
        self.duty.check_changes()
        await self._book(name, spec, server=server, action=action)
        self.duty.check()
        written = await self.kube.apply_new(
            Instance.resource(),
            _body(name, spec),
            field_manager=cell_field_manager(self.cell),
        )
        return self.instances.note(written)

    async def change(
        self,
        instance: Instance,
        spec: InstanceSpec,
        *,
        server: Server,
        action: Action | None,
    ) -> Instance:
        """Book a changed order and write it to that very Instance."""
        self.duty.check_changes()
        name = instance.metadata.name
        await self._book(name, spec, server=server, action=action)
        self.duty.check()
        written = await self.kube.apply_existing(
            Instance.resource(),
            _body(name, spec),
            uid=instance.metadata.uid,
            field_manager=cell_field_manager(self.cell),
        )
        return self.instances.note(written)

    async def end(self, ending: Ending) -> Instance | None:
        """Order a guest's destruction; None: its Instance is gone meanwhile."""
        self.duty.check_changes()
        meta = ending.instance.metadata
        order = DestroyOrder(
            placement_generation=ending.placement_generation, reason=ending.reason
        )
        # A patch, not an apply: an apply would take out fields that a newer
        # operator set. The term goes with it, so a stale leader is refused.
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": meta.uid},
            {"op": "add", "path": "/spec/writer", "value": self.duty.term().number},
            {"op": "add", "path": "/spec/destroy", "value": order.wire()},
        ]
        try:
            written = await self.kube.json_patch(
                Instance.resource(), meta.namespace, meta.name, operations
            )
        except NotFound:
            self.instances.forget(ending.instance)
            return None
        return self.instances.note(written)

    async def end_last(self, ending: Ending, *, server: Server | None) -> None:
        """Order the destruction of a guest's last placement, then book that.

        After the write, not before: a booked order to end says that the host's
        agent was told, so that the Instance's absence means its answer.
        """
        given_at = self.now()
        told = await self.end(ending)
        if told is not None:
            await self._book(
                told.metadata.name, told.spec, server=server, given_at=given_at
            )

    async def give_unbooked(self, name: str, spec: InstanceSpec) -> None:
        """Give an order for a former placement: the book keeps the newest one's."""
        self.duty.check_changes()
        written = await self.kube.apply_new(
            Instance.resource(),
            _body(name, spec),
            field_manager=cell_field_manager(self.cell),
        )
        self.instances.note(written)

    async def repeat_end(
        self, name: str, spec: InstanceSpec, *, server: Server | None
    ) -> None:
        """Give an order to end to a host that has lost it, then book it."""
        given_at = self.now()
        await self.give_unbooked(name, spec)
        await self._book(name, spec, server=server, given_at=given_at)

    async def withdraw(self, instance: Instance) -> None:
        """Take an Instance away without an order: its guest goes on."""
        self.duty.check_changes()
        meta = instance.metadata
        with suppress(NotFound):
            await self.kube.delete(
                Instance.resource(),
                meta.namespace,
                meta.name,
                uid=meta.uid,
                resource_version=meta.resource_version,
            )
        self.instances.forget(instance)

    async def find_user_data(self, instance: Instance) -> bool:
        """Tell whether the Secret that an Instance names is there."""
        named = instance.spec.user_data
        if named is None:
            return True
        namespace = instance.metadata.namespace
        return await self.kube.find(SECRET, namespace, named.name) is not None

    async def write_user_data(self, instance: Instance, data: bytes) -> None:
        """Put the user data beside an Instance, owned by it."""
        named = instance.spec.user_data
        if named is None:
            return
        self.duty.check()
        body = {
            "metadata": {
                "name": named.name,
                "namespace": instance.metadata.namespace,
                "ownerReferences": [
                    {
                        "apiVersion": API_VERSION,
                        "kind": "Instance",
                        "name": instance.metadata.name,
                        "uid": instance.metadata.uid,
                        "controller": True,
                    }
                ],
            },
            "type": "Opaque",
            "data": {_USER_DATA_KEY: b64encode(data).decode()},
        }
        await self.kube.apply_new(
            SECRET, body, field_manager=cell_field_manager(self.cell)
        )

    async def _book(
        self,
        name: str,
        spec: InstanceSpec,
        *,
        server: Server | None,
        action: Action | None = None,
        given_at: datetime | None = None,
    ) -> None:
        booked = None if server else await self.store.find_instance(name)
        identity = spec.server
        await self.store.book_instance(
            self.duty.term(),
            Booking(
                instance_uuid=name,
                server=ServerRef(identity.uid, identity.namespace, identity.name),
                host=spec.host,
                placement_generation=spec.placement_generation,
                object_generation=spec.server_generation,
                instance_spec=spec.wire(),
                server_spec=(
                    server.spec.wire()
                    if server
                    else (booked.server_spec if booked else {})
                ),
                state=ORDERED,
                booked_at=given_at or self.now(),
            ),
            action=action,
        )


def find_booked_spec(
    booking: Booking | None, mapping: InstanceMapping
) -> InstanceSpec | None:
    """Return the booked order of this very placement."""
    if booking is None or booking.instance_spec is None:
        return None
    placed = (booking.host, booking.placement_generation)
    if placed != (mapping.host, mapping.placement_generation):
        return None
    return InstanceSpec.model_validate(booking.instance_spec)


def _body(name: str, spec: InstanceSpec) -> dict[str, object]:
    return {
        "metadata": {"name": name, "namespace": host_namespace(spec.host)},
        "spec": spec.wire(),
    }
