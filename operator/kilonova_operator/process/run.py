"""One operator process, from its start to its end.

::

    API server, API database and cell0 answer,
    CRDs fit                                       waited for, /readyz says what
    informers synced                               a standby is ready from here
    Leases taken, super first; terms begun         older leaders write no more
    a store that went back is frozen               and swept
    queues, then kopf                              work; a cell's, whose database
                                                   is down, begin when it answers
    SIGTERM: kopf, queues, Leases                  within drain_seconds
    a Lease lost, a term stale, a store gone back  ends at once, without a write
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

from kilonova_api.kube.clock import Deadline
from kilonova_api.kube.errors import StoreWentBack
from kilonova_operator.context import ProcessContext, Stores
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.process.admin_socket import AdminSocket, AdminSocketUnusable
from kilonova_operator.process.build import build_context, connect_sources
from kilonova_operator.process.cell_roles import CellRoles
from kilonova_operator.process.controllers import ControllerRunner, RunningQueues
from kilonova_operator.process.health import Health, HealthServer
from kilonova_operator.process.kopf_shell import KopfShell
from kilonova_operator.process.parts import Parts
from kilonova_operator.process.startup import (
    Patience,
    StoreVersions,
    check_crds,
    read_owner,
    read_store_versions,
)
from kilonova_operator.process.super_role import SuperRole, build_super_role
from kilonova_operator.process.supervisor import Supervisor
from kilonova_operator.roles import SUPER, cell_of_role, cell_role
from kilonova_operator.services.store_freeze import WENT_BACK, Frozen
from kilonova_operator.settings import API_DATABASE, Settings

logger = logging.getLogger(__name__)

PULSE_SECONDS = 5.0
_LAST_WORDS_SECONDS = 5.0
# What the end needs after the queues: Leases, connections, kopf's thread.
_AFTER_QUEUES_SECONDS = 3.0


class OperatorProcess:
    """Runs until it is asked to stop, or may not go on."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.health = Health()
        self.http_port: int | None = None
        self._settings = settings
        self._parts = parts
        self._kopf: KopfShell | None = None
        self._kopf_task: asyncio.Task[None] | None = None
        self._queues: list[RunningQueues] = []
        self._stores: Stores | None = None
        self._admin: AdminSocket | None = None
        self._context: ProcessContext | None = None
        self._ready: Mapping[str, bool] = {}
        """Cells of ours, and whether their databases answered at the start."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then drain.

        Raises:
            Exception: what ended the process; its text says what to do.
        """
        server = HealthServer(self.health, self._has_pulse)
        await server.start(self._settings.http_host, self._settings.http_port)
        self.http_port = server.port
        supervisor = Supervisor()
        try:
            supervisor.start(self._launch(supervisor), "launch")
            await self._wait_for_end(supervisor, stop)
            await self._drain(supervisor)
        except StoreWentBack as error:
            await self._freeze(error)
            raise
        finally:
            await self._close(supervisor)
            await server.close()

    async def _launch(self, supervisor: Supervisor) -> None:
        parts, settings = self._parts, self._settings
        patience = Patience(self.health, parts.clock, parts.random)
        owner = await patience.until_done(
            "API server", lambda: read_owner(parts.kube, settings)
        )
        stores = self._stores = await patience.until_done(
            "databases", lambda: parts.open_stores(settings, owner)
        )
        await patience.until_done("CRDs", lambda: check_crds(parts.kube))
        versions = await patience.until_done(
            "versions", lambda: read_store_versions(parts.kube, stores.api)
        )
        context = self._context = build_context(
            settings, parts, stores, cluster_uid=owner.cluster_uid, floor=versions.now
        )
        super_role = build_super_role(context, self.health)
        connect_sources(context, super_role.hosts.heartbeats)
        await self._open_admin_socket(context)
        await self._sync(context, supervisor)
        await self._lead(context, supervisor, versions)
        await self._start_work(super_role, supervisor, versions)
        self.health.working(f"holding {', '.join(settings.wanted_roles)}")

    async def _open_admin_socket(self, context: ProcessContext) -> None:
        path = self._settings.admin_socket
        if path is None:
            return
        leads = partial(context.leadership.holds, SUPER)
        admin = self._admin = AdminSocket(context.admin, leads=leads)
        try:
            await admin.start(path)
        except AdminSocketUnusable as error:
            # Servers are placed without it.
            self.health.note("admin socket", str(error))

    async def _sync(self, context: ProcessContext, supervisor: Supervisor) -> None:
        self.health.waiting("informers: reading what exists")
        for informer in context.informers.all():
            supervisor.start(informer.run(), "informer")
        for informer in context.informers.all():
            await informer.wait_synced()

    async def _lead(
        self, context: ProcessContext, supervisor: Supervisor, versions: StoreVersions
    ) -> None:
        roles = self._settings.wanted_roles
        self.health.working(f"standing by for {', '.join(roles)}")
        databases = {role: self._settings.databases_of(role) for role in roles}
        cells = [role for role in roles if cell_of_role(role) is not None]
        await context.leadership.take(databases, supervisor.start, may_lag=cells)
        if SUPER in roles and versions.went_back:
            term = context.leadership.term(API_DATABASE)
            await context.stores.api.freeze(term, WENT_BACK, versions.explain())
            await context.stores.api.note_store_version(term, versions.now)
        self._ready = await CellRoles(context, self.health).note_frozen(
            tuple(cell for cell in map(cell_of_role, roles) if cell is not None)
        )

    async def _start_work(
        self, super_role: SuperRole, supervisor: Supervisor, versions: StoreVersions
    ) -> None:
        context = super_role.context
        runner = ControllerRunner(
            feeds=context.feeds,
            leadership=context.leadership,
            supervisor=supervisor,
            clock=context.clock,
            random=context.random,
        )
        for role in self._settings.wanted_roles:
            cell = cell_of_role(role)
            if cell is None:
                await self._start_super(super_role, runner)
                super_role.start_background(supervisor, store_version=versions.now)
                continue
            start = partial(self._start_cell, super_role, runner, supervisor, cell)
            if self._ready[cell]:
                start()
                continue
            late = CellRoles(context, self.health).begin_late(
                cell, start=start, look_at_everything=super_role.look_at_everything
            )
            supervisor.start(late, f"start of {role}")
        super_role.seed()
        self._kopf = KopfShell(self._parts.connection, context.feeds, context.random)
        self._kopf_task = supervisor.start(self._kopf.run(), "kopf")

    def _start_cell(
        self,
        super_role: SuperRole,
        runner: ControllerRunner,
        supervisor: Supervisor,
        cell: str,
    ) -> None:
        context = super_role.context
        for build in self._parts.cell_controllers:
            self._queues.append(runner.start(cell_role(cell), build(context, cell)))
        # It may have come back frozen, after the sweep of the start was over.
        late = not self._ready[cell]
        if late and context.freeze.frozen and context.leadership.holds(SUPER):
            super_role.start_sweep(supervisor)

    async def _start_super(self, role: SuperRole, runner: ControllerRunner) -> None:
        await role.load()
        self._queues.append(runner.start(SUPER, role.build_controllers()))
        for build in self._parts.super_controllers:
            self._queues.append(runner.start(SUPER, build(role.context)))

    async def _wait_for_end(self, supervisor: Supervisor, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        failing = asyncio.create_task(supervisor.wait_failed())
        try:
            await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                failing.result()
        finally:
            stopping.cancel()
            failing.cancel()
            await asyncio.gather(stopping, failing, return_exceptions=True)

    async def _drain(self, supervisor: Supervisor) -> None:
        self.health.waiting("stopping")
        deadline = Deadline.after(self._parts.clock, self._settings.drain_seconds)
        if self._kopf_task is not None:
            await supervisor.end(self._kopf_task)
        grace = max(0.0, deadline.left() - _AFTER_QUEUES_SECONDS)
        cut_off = await asyncio.gather(
            *(queues.stop(grace_seconds=grace) for queues in self._queues)
        )
        if sum(cut_off):
            logger.warning("%d reconciles were cut off; they resume", sum(cut_off))

    async def _freeze(self, error: StoreWentBack) -> None:
        """Let the next start begin frozen; if this fails, versions tell it too."""
        context = self._context
        if context is None or not context.leadership.holds(SUPER):
            return
        # What runs until the end shall not give, take, end or start anything.
        context.freeze.note(Frozen(API_DATABASE, WENT_BACK, str(error)))
        try:
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                term = context.leadership.term(API_DATABASE)
                await context.stores.api.freeze(term, WENT_BACK, str(error))
        except (KilonovaError, TimeoutError, KeyError) as failed:
            logger.warning("the databases could not be frozen: %s", failed)

    async def _close(self, supervisor: Supervisor) -> None:
        if self._admin is not None:
            await self._admin.close()
        leadership = self._context.leadership if self._context else None
        if leadership is not None:
            # While its tasks live, so that none of them sees a lost Lease.
            await leadership.release()
        await supervisor.end()
        if self._stores is not None:
            closing = [store.close() for store in self._stores.all().values()]
            await asyncio.gather(*closing, return_exceptions=True)

    async def _has_pulse(self) -> bool:
        if self._kopf is None:
            return True
        return await self._kopf.has_pulse(timeout_seconds=PULSE_SECONDS)
