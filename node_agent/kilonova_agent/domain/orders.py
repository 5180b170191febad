"""What the agent remembers of the orders it acted on, and what is from the past."""

from dataclasses import dataclass, replace
from datetime import datetime

from kilonova_api.instance_spec import InstanceSpec


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """The newest orders acted on for one guest.

    ``server_generation`` belongs to ``server_uid``, the guest's owner then.
    ``built_at`` belongs to ``build_id``. ``off`` is the guest's last known
    power. A record whose guest is ``destroyed`` stays as a tombstone.
    """

    writer: int
    placement_generation: int
    server_uid: str
    server_generation: int
    build_id: str
    built_at: datetime | None = None
    launched_at: datetime | None = None
    off: bool = False
    destroyed: bool = False

    def is_past(self, spec: InstanceSpec) -> bool:
        """Tell whether an order is older than what was acted on.

        A store that went back shows yesterday's orders as if they were today's.
        """
        return (
            spec.writer < self.writer
            or spec.placement_generation < self.placement_generation
            or self._is_past_of_its_server(spec)
            or (
                self.destroyed
                and spec.destroy is None
                and spec.placement_generation == self.placement_generation
            )
        )

    def _is_past_of_its_server(self, spec: InstanceSpec) -> bool:
        """Tell whether the Server said something newer already.

        A Server that adopted the guest begins to count anew.
        """
        return (
            spec.server.uid == self.server_uid
            and spec.server_generation < self.server_generation
        )

    def is_built_for(self, spec: InstanceSpec) -> bool:
        """Tell whether the disk this order asks for was finished."""
        return (
            not self.destroyed
            and self.built_at is not None
            and self.build_id == spec.build_id
        )

    def advance(self, spec: InstanceSpec) -> "OrderRecord":
        """Build the record after acting on an order."""
        if self.destroyed and spec.destroy is None:
            return begin(spec)
        moved = replace(
            self,
            writer=spec.writer,
            placement_generation=spec.placement_generation,
            server_uid=spec.server.uid,
            server_generation=spec.server_generation,
        )
        if spec.build_id == self.build_id:
            return moved
        return replace(moved, build_id=spec.build_id, built_at=None, launched_at=None)


def begin(spec: InstanceSpec) -> OrderRecord:
    """Build the first record of a guest."""
    return OrderRecord(
        writer=spec.writer,
        placement_generation=spec.placement_generation,
        server_uid=spec.server.uid,
        server_generation=spec.server_generation,
        build_id=spec.build_id,
    )
