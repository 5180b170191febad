"""What a cell's link writes into ``Server.status``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.instance import Instance
from kilonova_api.kube.errors import NotFound
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping
from kilonova_operator.domain.servers.actions import build_fault
from kilonova_operator.domain.servers.guest_facts import GuestFacts
from kilonova_operator.domain.servers.guest_step import Ending
from kilonova_operator.domain.servers.instance_spec import sha256_of
from kilonova_operator.domain.servers.mirror import (
    MirrorFacts,
    build_mirror,
    build_notice,
    handled_reconcile,
)
from kilonova_operator.domain.servers.order_update import build_update
from kilonova_operator.domain.servers.references import (
    Problem,
    References,
    resolve_user_data,
)
from kilonova_operator.domain.servers.server_status import StatusWrite, Verdict
from kilonova_operator.domain.servers.waiting import (
    WAITING_FOR_REFERENCE,
    Patience,
    seconds_left,
)
from kilonova_operator.services.servers.brake import RELEASE_DELETIONS_ANNOTATION
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.history import History
from kilonova_operator.services.servers.hosts import HostDirectory
from kilonova_operator.storage.kubernetes.statuses import StatusWriter


@dataclass(frozen=True, slots=True)
class CellStatus:
    """Status writes of one cell's link, and the history that goes with them."""

    cell: str
    duty: Duty
    writer: StatusWriter
    hosts: HostDirectory
    references: ReferenceReader
    history: History
    patience: Patience
    now: Callable[[], datetime]

    async def mirror(
        self, server: Server, mapping: InstanceMapping, instance: Instance
    ) -> None:
        """Show what the host says of the guest, if that changes anything."""
        update = build_update(
            instance.spec, server, mapping, writer=instance.spec.writer
        )
        facts = MirrorFacts(
            order_is_current=update is None,
            host_is_down=self.hosts.is_down(instance.spec.host),
            user_data_changed=await self._user_data_changed(server, instance),
        )
        wanted = build_mirror(server, instance, facts, now=self.now())
        if wanted is None:
            return
        if _is_news(server, wanted):
            # Before the write: after it nothing would tell that this is missing.
            self.duty.check()
            fault = build_fault(instance, now=self.now())
            await self.history.note_answer(server, instance, fault=fault)
        await self.write(server, wanted)

    async def write(self, server: Server, wanted: StatusWrite) -> bool:
        """Write a status; tell whether anything was written."""
        self.duty.check()
        try:
            return await self.writer.write(server, wanted.status, fields=wanted.fields)
        except NotFound:
            return False

    async def show_problem(self, server: Server, problem: Problem) -> None:
        """Show why a placed guest cannot be ordered."""
        patient = seconds_left(server, self.now(), self.patience.reference_seconds)
        waits = problem.waits and patient > 0
        reason = WAITING_FOR_REFERENCE if waits else problem.reason
        await self.write(
            server,
            build_notice(
                server,
                Verdict("Ready", "False", reason, problem.message),
                Verdict(
                    "Reconciling" if waits else "Stalled",
                    "True",
                    reason,
                    problem.message,
                ),
                now=self.now(),
            ),
        )

    async def show_former(self, server: Server, hosts: Sequence[str]) -> None:
        """Show that a build waits for the hosts where it failed before."""
        text = (
            "The build failed, and may still have left a guest running on host "
            f"{', '.join(hosts)}: it begins on another host once that one has said "
            "that nothing runs."
        )
        reason = "FormerHostUnproven"
        await self.write(
            server,
            build_notice(
                server,
                Verdict("Ready", "False", reason, text),
                Verdict("Reconciling", "True", reason, text),
                now=self.now(),
            ),
        )

    async def show_deleting(self, server: Server, hosts: Sequence[str]) -> None:
        """Show a deletion that takes its time, and whom it waits for."""
        await self.write(
            server,
            build_notice(
                server,
                Verdict(
                    "Ready",
                    "False",
                    "Deleting",
                    f"The guest is being destroyed; host {', '.join(hosts)} has not "
                    "said so yet.",
                ),
                now=self.now(),
                task="deleting",
            ),
        )

    async def show_held(self, facts: GuestFacts, held: Sequence[Ending]) -> None:
        """Show that the brake holds a deletion, and how to release it."""
        if facts.server is None or not held:
            return
        text = (
            f"Unusually many guests of cell {self.cell} are being deleted; this one "
            "waits for a person. If it is meant: kubectl annotate --overwrite cell "
            f"{self.cell} {RELEASE_DELETIONS_ANNOTATION}=$(date -u +%FT%TZ)"
        )
        await self.write(
            facts.server,
            build_notice(
                facts.server,
                Verdict("Ready", "False", "DeletionsHeld", text),
                Verdict("DeletionsHeld", "True", "DeletionsHeld", text),
                now=self.now(),
                task="deleting",
            ),
        )

    async def _user_data_changed(self, server: Server, instance: Instance) -> bool:
        """Compare the user data now with what the guest was ordered with.

        A Secret is read only when the Server changed or somebody asks: its
        changes wake nobody, and each reconcile would cost a read.
        """
        ordered = instance.spec.user_data.sha256 if instance.spec.user_data else None
        spec = server.spec
        if spec.user_data_ref is None:
            inline = spec.user_data
            return ordered != (sha256_of(inline.encode()) if inline else None)
        known = server.status.condition("UserDataChanged") is not None
        asked = handled_reconcile(server) != server.status.last_handled_reconcile_at
        generation = server.metadata.generation
        moved = generation != server.status.observed_generation
        if not (moved or asked or known):
            return False
        secrets = await self.references.read_secrets(
            server.metadata.namespace or "", (spec.user_data_ref,)
        )
        found = References(flavor=None, image=None, networks={}, secrets=secrets)
        data = resolve_user_data(server, found)
        return data is not None and ordered != sha256_of(data)


def _is_news(server: Server, wanted: StatusWrite) -> bool:
    known, said = server.status, wanted.status
    return (known.state, known.fault, known.observed_generation) != (
        said.state,
        said.fault,
        said.observed_generation,
    )
