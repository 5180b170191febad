"""What a cell's database keeps: its orders to hosts, and the history of guests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kilonova_operator.domain.placement import ServerRef


@dataclass(frozen=True, slots=True)
class Booking:
    """The last order about a guest, whole enough to give it again without centre.

    ``instance_spec`` and ``server_spec`` are wire forms. A Server in cell0 has
    no ``instance_spec`` and no host.
    """

    instance_uuid: str
    server: ServerRef
    host: str | None
    placement_generation: int
    object_generation: int
    instance_spec: Mapping[str, Any] | None
    server_spec: Mapping[str, Any]
    state: str = ""
    booked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """One step of an action, as in Nova's instance_actions_events."""

    event: str
    started_at: datetime
    finished_at: datetime | None = None
    result: str | None = None
    host: str | None = None
    details: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """What was done to a guest, as in Nova's instance_actions.

    ``request_id`` makes it one: the same action recorded again replaces itself.
    """

    instance_uuid: str
    action: str
    request_id: str
    started_at: datetime
    requested_by: str = ""
    finished_at: datetime | None = None
    message: str = ""
    events: tuple[ActionEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceFault:
    """A failure of a guest, as in Nova's instance_faults."""

    instance_uuid: str
    code: int
    reason: str
    message: str
    host: str | None
    happened_at: datetime
