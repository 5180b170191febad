"""What a cell knows of one guest when it decides."""

from dataclasses import dataclass

from kilonova_api.instance import Instance
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping
from kilonova_operator.domain.servers.guest_step import (
    GuestFate,
    decide_fate,
    find_current,
)


@dataclass(frozen=True, slots=True)
class GuestFacts:
    """One Server's uid: its object, its row, its Instances."""

    cell: str
    server_uid: str
    server: Server | None
    mapping: InstanceMapping | None
    tombstoned: bool
    instances: tuple[Instance, ...]
    adopted: bool
    """Another Server's row has the guest."""

    @property
    def fate(self) -> GuestFate:
        """What the databases say of the guest."""
        return decide_fate(
            self.mapping,
            tombstoned=self.tombstoned,
            adopted=self.adopted,
            cell=self.cell,
        )

    @property
    def current(self) -> Instance | None:
        """The Instance on the host that the row names."""
        if self.mapping is None:
            return None
        return find_current(self.mapping, self.instances)

    @property
    def instance_uuid(self) -> str:
        """The guest's uuid, which names its Instance."""
        return self.mapping.instance_uuid if self.mapping else self.server_uid
