"""Servers that were deleted after the backup: asked about, never built again."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from kilonova_api.cell import Cell
from kilonova_api.kube.resources import Key
from kilonova_api.names import ADOPT_ANNOTATION
from kilonova_api.server import Server
from kilonova_operator.domain.servers.lost import END_LOST_ANNOTATION
from support.lab_checks import check_nothing_is_left, check_one_guest
from support.server_lab import CELL, ServerLab

SWEPT_SECONDS = 700


@dataclass
class Backup:
    """The API database's rows; with ``whole`` the cell's order book as well."""

    lab: ServerLab
    whole: bool
    rows: dict[str, dict[Any, Any]] = field(default_factory=dict)
    bookings: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table in ("mappings", "claims", "nics"):
            self.rows[table] = dict(getattr(self.lab.api, table))
        self.bookings = dict(self.lab.cell.bookings)

    async def restore(self) -> None:
        """Put the backup in, and let the sweep look at it."""
        for table, rows in self.rows.items():
            setattr(self.lab.api, table, dict(rows))
        self.lab.api.tombstones.clear()
        if self.whole:
            self.lab.cell.bookings = dict(self.bookings)
        self.lab.restart_operator()
        await self.lab.operator.lost_servers.mark()


async def delete_after_backup(*, whole: bool) -> tuple[ServerLab, Key, str]:
    """Bring back the row of a Server that was deleted and ended after a backup."""
    lab = ServerLab()
    lab.cluster.put(Cell.resource(), {"metadata": {"name": CELL}, "spec": {}})
    key = lab.create_server()
    await lab.run(seconds=5)
    uuid = lab.server(key).metadata.uid
    backup = Backup(lab, whole)
    lab.delete_server(key)
    await lab.run(seconds=60)
    check_nothing_is_left(lab)
    await backup.restore()
    return lab, key, uuid


both = pytest.mark.parametrize(
    "whole", [pytest.param(False, id="api"), pytest.param(True, id="api and cell")]
)


@both
async def test_a_server_deleted_after_the_backup_is_named_and_not_built(
    whole: bool,  # noqa: FBT001
) -> None:
    lab, _, _ = await delete_after_backup(whole=whole)
    await lab.run(seconds=SWEPT_SECONDS)
    assert lab.instances() == []
    assert lab.domains == {}
    assert len(lab.api.claims) == 1, "held: nobody knows yet that it was deleted"
    said = lab.lost.find(CELL)
    assert "shop/web-0" in said
    assert f"kubectl annotate --overwrite cell {CELL} {END_LOST_ANNOTATION}=" in said


@both
async def test_a_persons_word_ends_lost_servers(whole: bool) -> None:  # noqa: FBT001
    lab, _, uuid = await delete_after_backup(whole=whole)
    await lab.run(seconds=5)
    now = lab.clock.utcnow().isoformat()
    lab.annotate(Cell, Key("", CELL), END_LOST_ANNOTATION, now)
    await lab.run(seconds=2 * SWEPT_SECONDS)
    assert uuid in lab.api.tombstones
    check_nothing_is_left(lab)
    assert lab.lost.find(CELL) == ""


async def test_a_word_of_another_day_ends_nothing() -> None:
    lab, _, _ = await delete_after_backup(whole=True)
    lab.annotate(Cell, Key("", CELL), END_LOST_ANNOTATION, "2025-12-30T00:00:00Z")
    await lab.run(seconds=SWEPT_SECONDS)
    assert len(lab.api.claims) == 1
    assert lab.api.tombstones == {}


async def test_a_lost_server_can_be_adopted_by_the_next_of_its_name() -> None:
    lab, key, uuid = await delete_after_backup(whole=True)
    await lab.run(seconds=5)
    lab.create_server()
    lab.annotate(Server, key, ADOPT_ANNOTATION, uuid)
    await lab.run(seconds=SWEPT_SECONDS)
    assert len(lab.instances()) == 1
    assert len(lab.api.claims) == 1
    assert lab.lost.find(CELL) == ""


async def test_rows_that_an_object_or_an_instance_speaks_of_are_not_lost() -> None:
    lab = ServerLab()
    web, db = lab.create_server("web-0"), lab.create_server("db-0")
    await lab.run(seconds=5)
    lab.cluster.vanish("Server", web)
    for instance in lab.instances():
        if instance.spec.server.name == db.name:
            meta = instance.metadata
            lab.cluster.vanish("Instance", Key(meta.namespace or "", meta.name))
    await lab.operator.lost_servers.mark()
    assert "ServerLost" not in {
        decision.outcome for kept in lab.api.decisions.values() for decision in kept
    }
    await lab.run(seconds=SWEPT_SECONDS)
    assert len(lab.instances()) == 2
    assert lab.lost.find(CELL) == ""


async def test_an_order_lost_with_its_object_is_given_again_if_the_row_is_true() -> (
    None
):
    lab = ServerLab()
    key = lab.create_server()
    await lab.run(seconds=5)
    (instance,) = lab.instances()
    meta = instance.metadata
    lab.cluster.vanish("Server", key)
    lab.cluster.vanish("Instance", Key(meta.namespace or "", meta.name))
    await lab.run(seconds=SWEPT_SECONDS)
    check_one_guest(lab)
