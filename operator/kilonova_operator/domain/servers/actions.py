"""What is written into a guest's history: Nova's instance actions."""

from datetime import datetime
from uuid import UUID, uuid5

from kilonova_api.instance import Instance
from kilonova_api.names import REQUESTED_BY_ANNOTATION
from kilonova_api.server import Server
from kilonova_operator.domain.order_book import Action, ActionEvent, InstanceFault

CREATE = "create"
DELETE = "delete"
START = "start"
STOP = "stop"
END_FORMER = "end-former"
"""An order to end a former placement."""

_NAMESPACE = UUID("b6a3d2f0-4a58-4b46-8d70-7f6a3f0c9a11")
_FAULT_CODE = 500
_EVENTS = {
    CREATE: "compute__do_build_and_run_instance",
    DELETE: "compute_terminate_instance",
    START: "compute_start_instance",
    STOP: "compute_stop_instance",
    END_FORMER: "compute_terminate_former_instance",
}
_MOST_CHARACTERS = 255


def build_action(
    action: str,
    instance_uuid: str,
    occasion: int,
    *,
    server: Server | None,
    started_at: datetime,
    host: str | None = None,
    finished_at: datetime | None = None,
    failure: str = "",
) -> Action:
    """Build an action; the same one again for the same occasion.

    occasion: the generation that called for it. So a process that died after
    writing the action writes the same action once more, not a second one.
    """
    annotations = server.metadata.annotations if server else {}
    event = ActionEvent(
        event=_EVENTS[action],
        started_at=started_at,
        finished_at=finished_at,
        result=None if finished_at is None else ("Error" if failure else "Success"),
        host=host,
        details=failure[:_MOST_CHARACTERS],
    )
    return Action(
        instance_uuid=instance_uuid,
        action=action,
        request_id=build_request_id(action, instance_uuid, occasion),
        started_at=started_at,
        requested_by=annotations.get(REQUESTED_BY_ANNOTATION, ""),
        finished_at=finished_at,
        message=failure[:_MOST_CHARACTERS],
        events=(event,),
    )


def build_request_id(action: str, instance_uuid: str, occasion: int) -> str:
    """Return what names an action, the same for the same occasion."""
    return f"req-{uuid5(_NAMESPACE, f'{instance_uuid}/{action}/{occasion}')}"


def power_action(before: str, wanted: str) -> str | None:
    """Return the action that a change of the wanted power state stands for."""
    if before == wanted:
        return None
    if wanted == "Stopped":
        return STOP
    return START if before == "Stopped" or wanted == "Running" else None


def build_fault(instance: Instance, *, now: datetime) -> InstanceFault | None:
    """Build the row of an Instance's fault, as Nova's instance_faults."""
    fault = instance.status.fault
    if fault is None:
        return None
    return InstanceFault(
        instance_uuid=instance.metadata.name,
        code=_FAULT_CODE,
        reason=fault.reason,
        message=fault.message[:_MOST_CHARACTERS],
        host=instance.spec.host,
        happened_at=now,
    )
