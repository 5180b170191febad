"""Cells make themselves; flavors and images are judged; namespaces are guarded."""

from typing import Any, TypeVar

import pytest

from kilonova_api.cell import Cell
from kilonova_api.flavor import Flavor
from kilonova_api.image import Image
from kilonova_api.kube.resources import CONFIG_MAP, KubeObject
from kilonova_api.meta import KubeObject as OurObject
from kilonova_api.names import CELL0_UUID
from kilonova_api.server import Server
from kilonova_operator.services import guards
from kilonova_operator.services.guards import GUARDED_NAMESPACES
from support.made_up_hosts import make_node
from support.operator_run import OperatorLab
from support.waiting import until

M = TypeVar("M", bound=OurObject)


async def wait_reason(
    lab: OperatorLab, model: type[M], obj: KubeObject, reason: str
) -> M:
    """Return the object once its Ready condition has that reason."""
    metadata = obj["metadata"]
    seen: list[Any] = []

    async def so() -> bool:
        found = await lab.kube.find(
            model.resource(), metadata.get("namespace"), metadata["name"]
        )
        if found is None:
            return False
        seen.append(model.model_validate(found))
        ready = seen[-1].status.condition("Ready")
        return ready is not None and ready.reason == reason

    await until(so, lambda: f"reason {reason}; it is {seen[-1:]}")
    last: M = seen[-1]
    return last


async def test_cells_make_themselves_and_show_their_databases(lab: OperatorLab) -> None:
    operator = await lab.lead()
    cells = [
        await wait_reason(lab, Cell, {"metadata": {"name": name}}, "Serving")
        for name in ("cell0", "cell1")
    ]
    assert cells[0].status.uuid == CELL0_UUID
    assert cells[1].status.uuid not in {None, CELL0_UUID}
    assert {cell.status.schema_revision for cell in cells} == {"c0001"}
    assert len({cell.status.database_id for cell in cells}) == 2
    context = operator.process._context
    assert context is not None
    mappings = await context.stores.api.list_cell_mappings()
    assert [mapping.name for mapping in mappings] == ["cell0", "cell1"]


async def test_a_cell_counts_its_hosts(lab: OperatorLab, namespace: str) -> None:
    await lab.lead()
    await make_node(lab.kube, f"hv-{namespace}")

    async def counted() -> bool:
        found = await lab.kube.find(Cell.resource(), None, "cell1")
        return found is not None and found["status"].get("hosts") == 1

    await until(counted, "cell1 shows one host")


async def test_a_disabled_cell_is_disabled_in_the_database(lab: OperatorLab) -> None:
    operator = await lab.lead()
    cell = await wait_reason(lab, Cell, {"metadata": {"name": "cell1"}}, "Serving")
    await lab.kube.apply_existing(
        Cell.resource(),
        {"metadata": {"name": "cell1"}, "spec": {"enabled": False}},
        uid=cell.metadata.uid,
        field_manager="a-person",
    )
    context = operator.process._context
    assert context is not None
    store = context.stores.api

    async def disabled() -> bool:
        mappings = {m.name: m.enabled for m in await store.list_cell_mappings()}
        return mappings["cell1"] is False

    await until(disabled, "the mapping follows the object")
    await lab.kube.delete(Cell.resource(), None, "cell1", uid=cell.metadata.uid)


async def test_a_deleted_cell_object_comes_back(lab: OperatorLab) -> None:
    await lab.lead()
    cell = await wait_reason(lab, Cell, {"metadata": {"name": "cell1"}}, "Serving")
    await lab.kube.delete(Cell.resource(), None, "cell1", uid=cell.metadata.uid)

    async def back() -> bool:
        found = await lab.kube.find(Cell.resource(), None, "cell1")
        return found is not None and found["metadata"]["uid"] != cell.metadata.uid

    # Our watch of Cells may not have begun yet: it is looked for now and then.
    await until(back, "the Cell is back", timeout_seconds=60)


async def test_a_cell_that_nobody_serves_says_so(
    lab: OperatorLab, namespace: str
) -> None:
    await lab.lead()
    body = {"metadata": {"name": f"far-{namespace}"}, "spec": {}}
    made = await lab.kube.create(Cell.resource(), body)
    cell = await wait_reason(lab, Cell, made, "CellNotConfigured")
    assert cell.status.is_true("Stalled")
    await lab.kube.delete(
        Cell.resource(), None, cell.metadata.name, uid=cell.metadata.uid
    )


async def test_flavors_and_images_are_told_whether_they_are_usable(
    lab: OperatorLab, namespace: str
) -> None:
    await lab.lead()
    size = {"vcpus": 1, "ramMiB": 512}
    good = await lab.kube.create(
        Flavor.resource(), {"metadata": {"name": f"good-{namespace}"}, "spec": size}
    )
    odd = await lab.kube.create(
        Flavor.resource(),
        {
            "metadata": {"name": f"odd-{namespace}"},
            "spec": {**size, "extraSpecs": {"hw:cpu_polcy": "dedicated"}},
        },
    )
    image = await lab.kube.create(
        Image.resource(),
        {
            "metadata": {"name": "debian", "namespace": namespace},
            "spec": {
                "url": "https://images.example.org/debian.qcow2",
                "checksum": f"sha256:{'0' * 64}",
                "format": "qcow2",
                "properties": {"hw_rng_model": "virtio"},
            },
        },
    )
    await wait_reason(lab, Flavor, good, "Usable")
    await wait_reason(lab, Flavor, odd, "UnknownExtraSpec")
    await wait_reason(lab, Image, image, "UnsupportedProperty")
    for made in (good, odd):
        metadata = made["metadata"]
        await lab.kube.delete(
            Flavor.resource(), None, metadata["name"], uid=metadata["uid"]
        )


async def test_a_namespace_is_guarded_while_it_holds_a_server(
    lab: OperatorLab, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "KEEP_SECONDS", 1.0)
    await lab.lead()
    spec = {"flavorRef": {"name": "m1.small"}, "imageRef": {"name": "debian"}}
    metadata = {"name": "web", "namespace": namespace}
    body = {"metadata": metadata, "spec": spec}
    made = await lab.kube.create(Server.resource(), body)

    async def listed() -> bool:
        found = await lab.kube.find(
            CONFIG_MAP, lab.settings["namespace"], GUARDED_NAMESPACES
        )
        return found is not None and namespace in found.get("data", {})

    async def free() -> bool:
        return not await listed()

    await until(listed, "the namespace is guarded")
    uid = made["metadata"]["uid"]
    await lab.kube.delete(Server.resource(), namespace, "web", uid=uid)
    await until(free, "the namespace is free again")
