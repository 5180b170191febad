"""A Server in cell0 whose object vanished leaves nothing behind."""

from kilonova_api.kube.resources import Key
from kilonova_api.names import GROUP
from kilonova_operator.services.store_freeze import Frozen
from support.lab_checks import check_nothing_is_left, check_one_guest
from support.server_lab import ServerLab

SWEPT_SECONDS = 700


async def buried() -> tuple[ServerLab, Key, str]:
    """Give a Server that fits nowhere."""
    lab = ServerLab(hosts=())
    key = lab.create_server()
    await lab.run(seconds=5)
    uid = lab.server(key).metadata.uid
    assert lab.api.mappings[uid].cell == "cell0"
    assert lab.api.decisions[uid] != []
    return lab, key, uid


async def test_a_vanished_server_of_cell0_is_forgotten() -> None:
    lab, key, _ = await buried()
    lab.cluster.vanish("Server", key)
    await lab.run(seconds=SWEPT_SECONDS)
    check_nothing_is_left(lab)
    assert lab.api.decisions == {}
    assert lab.api.tombstones == {}


async def test_an_object_that_comes_back_is_placed_anew() -> None:
    lab, key, _ = await buried()
    saved = lab.cluster.objects["Server", key]
    lab.cluster.vanish("Server", key)
    await lab.run(seconds=SWEPT_SECONDS)
    lab.cluster.objects["Server", key] = saved
    lab.add_host("hv1")
    lab.restart_operator()
    await lab.run(seconds=SWEPT_SECONDS)
    check_one_guest(lab)


async def test_one_that_waits_keeps_its_row() -> None:
    lab, _, uid = await buried()
    await lab.run(seconds=SWEPT_SECONDS)
    assert uid in lab.api.mappings


async def test_nobody_is_forgotten_while_the_kind_is_missing() -> None:
    lab, key, uid = await buried()
    lab.cluster.vanish("CustomResourceDefinition", Key("", f"servers.{GROUP}"))
    lab.cluster.vanish("Server", key)
    await lab.run(seconds=SWEPT_SECONDS)
    assert uid in lab.api.mappings


async def test_nobody_is_forgotten_while_a_store_is_frozen() -> None:
    lab, key, uid = await buried()
    lab.freeze.note(Frozen("api", "DatabaseWentBack", "test"))
    lab.cluster.vanish("Server", key)
    await lab.run(seconds=SWEPT_SECONDS)
    assert uid in lab.api.mappings
    lab.freeze.lift("api")
    await lab.run(seconds=SWEPT_SECONDS)
    check_nothing_is_left(lab)


async def test_a_guests_row_outlives_its_object() -> None:
    lab = ServerLab()
    key = lab.create_server()
    await lab.run(seconds=5)
    lab.cluster.vanish("Server", key)
    await lab.run(seconds=SWEPT_SECONDS)
    check_one_guest(lab)
