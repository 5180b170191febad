"""The call ``schedule``: Nova's scheduler at work, and how fast it is.

A case holds ``hosts`` (what ``cloud_state`` and ``real_placement`` read of them),
``aggregates``, ``requests`` as tests/parity draws them, ``options``, and ``seconds``:
after those no further request is begun. The first request is not counted.

An answer holds ``decisions``, the ``seconds`` they took, and ``placed``, how many of
them got a host.

For each request SchedulerManager.select_destinations runs as it is: pre-filters,
Placement's candidates, states of hosts, filters, weighers, the claim, alternates.
Placement is called as an application instead of by HTTP, and keeps its rows in
memory. Compute nodes, services and guests are at hand instead of being read from a
cell's database, and nobody is notified. All of that spares time.
"""

import time
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from cloud_state import CELL_UUID, build_compute, build_service, build_spec, set_options
from nova import context, exception, objects
from nova.scheduler import host_manager, manager
from nova.scheduler.client import report
from oslo_messaging import ExpectedException
from real_aggregates import RealAggregates
from real_placement import RealPlacement

Answer = dict[str, Any]

_REPORT_SECONDS = 10.0
"""Nova's report_interval; who is silent for a minute is taken for dead."""


class _HostManager(host_manager.HostManager):
    """Nova's, without reading databases."""

    def __init__(self, case: dict[str, Any], aggregates: list[Any]) -> None:
        self._aggregates = aggregates
        self._heard_at = 0.0
        self._computes = {}
        self._services = {}
        self._guests: dict[str, dict[str, Any]] = {}
        for host in case["hosts"]:
            compute = build_compute(host)
            self._computes[compute.uuid] = compute
            self._services[host["name"]] = build_service(host)
            self._guests[host["name"]] = {}
        super().__init__()
        for host in case["hosts"]:
            ids = {aggregates[number].id for number in host["aggregates"]}
            self.host_aggregates_map[host["name"]] = ids

    def refresh_cells_caches(self) -> None:
        self.cells = {CELL_UUID: objects.CellMapping(uuid=CELL_UUID, name="cell1")}
        self.enabled_cells = list(self.cells.values())
        self.host_to_cell_uuid = dict.fromkeys(self._services, CELL_UUID)

    def _init_aggregates(self) -> None:
        self.aggs_by_id = {aggregate.id: aggregate for aggregate in self._aggregates}

    def _init_instance_info(self) -> None:
        return

    def _get_computes_for_cells(
        self, _context: Any, _cells: Any, compute_uuids: list[str] | None = None
    ) -> tuple[dict[str, list[Any]], dict[str, Any]]:
        self._hear_services()
        uuids = self._computes if compute_uuids is None else compute_uuids
        found = [self._computes[uuid] for uuid in uuids if uuid in self._computes]
        return {CELL_UUID: found}, self._services

    def _hear_services(self) -> None:
        """Let every nova-compute report, as it does all the while."""
        if time.monotonic() - self._heard_at < _REPORT_SECONDS:
            return
        self._heard_at, now = time.monotonic(), datetime.now(UTC)
        for service in self._services.values():
            service["last_seen_up"] = now

    def _get_instance_info(self, _context: Any, compute: Any) -> dict[str, Any]:
        return self._guests[compute.host]

    def build(self, uuid: str, selection: Any, flavor: Any) -> None:
        """Count a guest on its host, as its compute node would tell."""
        compute = self._computes[selection.compute_node_uuid]
        compute.memory_mb_used += flavor.memory_mb
        compute.free_ram_mb -= flavor.memory_mb
        compute.vcpus_used += flavor.vcpus
        compute.local_gb_used += flavor.root_gb
        compute.free_disk_gb -= flavor.root_gb
        self._guests[compute.host][uuid] = objects.Instance(uuid=uuid)


def answer(case: dict[str, Any]) -> Answer:
    """Answer a case."""
    set_options(case["options"])
    stored = RealAggregates()
    placement = RealPlacement()
    placement.fill(case["hosts"], stored.fill(case["aggregates"]))
    aggregates = stored.list_objects()
    client = report.SchedulerReportClient(adapter=placement.build_adapter())
    scheduler = manager.SchedulerManager.__new__(manager.SchedulerManager)
    scheduler.host_manager = _HostManager(case, aggregates)
    scheduler.notifier = mock.Mock()
    specs = [_build_spec(request) for request in case["requests"]]
    groups: dict[str, Any] = {}
    with (
        mock.patch.object(report, "PLACEMENTCLIENT", client),
        mock.patch.object(manager.compute_utils, "notify_about_scheduler_action"),
    ):
        _decide(scheduler, specs[0], groups)
        return _measure(scheduler, specs[1:], groups, seconds=case["seconds"])


def _measure(
    scheduler: Any, specs: list[Any], groups: dict[str, Any], *, seconds: float
) -> Answer:
    began = time.monotonic()
    decisions = placed = 0
    for spec in specs:
        placed += _decide(scheduler, spec, groups)
        decisions += 1
        if time.monotonic() - began > seconds:
            break
    took = time.monotonic() - began
    return {"decisions": decisions, "seconds": took, "placed": placed}


def _decide(scheduler: Any, spec: Any, groups: dict[str, Any]) -> bool:
    uuid = spec.instance_uuid
    if spec.instance_group is not None:
        # Conductor reads a group's members and hosts for each request.
        group = groups.setdefault(spec.instance_group.uuid, spec.instance_group)
        group.members.append(uuid)
        spec.instance_group = group
    try:
        (selections,) = scheduler.select_destinations(
            context.get_admin_context(),
            spec_obj=spec,
            instance_uuids=[uuid],
            return_objects=True,
            return_alternates=True,
        )
    except ExpectedException as expected:
        if not isinstance(expected.exc_info[1], exception.NoValidHost):
            raise expected.exc_info[1] from None
        return False
    scheduler.host_manager.build(uuid, selections[0], spec.flavor)
    return True


def _build_spec(request: dict[str, Any]) -> Any:
    spec = build_spec({"hosts": []}, request)
    spec.user_id = spec.project_id
    spec.id = 1
    spec.retry = None
    spec.limits = objects.SchedulerLimits()
    spec.security_groups = objects.SecurityGroupList(objects=[])
    if spec.instance_group is not None:
        spec.instance_group.uuid = request["group"]["uuid"]
    return spec
