"""A guest's history in the cell's database."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from kilonova_api.instance import Instance
from kilonova_api.server import Server
from kilonova_operator.domain.order_book import Action, InstanceFault
from kilonova_operator.domain.servers.actions import (
    CREATE,
    END_FORMER,
    START,
    STOP,
)
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.stores import CellStore

_DONE_IN = {CREATE: ("ACTIVE", "SHUTOFF"), START: ("ACTIVE",), STOP: ("SHUTOFF",)}


@dataclass(frozen=True, slots=True)
class History:
    """Completes actions and keeps faults."""

    store: CellStore
    duty: Duty
    now: Callable[[], datetime]

    async def note_answer(
        self, server: Server, instance: Instance, *, fault: InstanceFault | None
    ) -> None:
        """Note what a host's answer, just shown in status, means for the history."""
        name = instance.metadata.name
        if fault is not None and instance.status.fault != server.status.fault:
            await self.store.record_fault(self.duty.term(), fault)
        for action in await self.store.list_actions(name):
            if action.finished_at is None and _is_over(action, instance):
                await self._finish(action, fault)

    async def _finish(self, action: Action, fault: InstanceFault | None) -> None:
        failure = fault.message if fault else ""
        events = tuple(
            replace(
                event,
                finished_at=self.now(),
                result="Error" if failure else "Success",
                details=failure,
            )
            for event in action.events
        )
        done = replace(action, finished_at=self.now(), message=failure, events=events)
        await self.store.record_action(self.duty.term(), done)


def _is_over(action: Action, instance: Instance) -> bool:
    if action.action == END_FORMER:  # it is another host's
        return False
    state = instance.status.state
    return state == "ERROR" or state in _DONE_IN.get(action.action, ())
