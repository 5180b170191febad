"""A database put back to an older copy claims nothing before it was put right."""

from pathlib import Path
from shutil import copyfile

import pytest

from kilonova_api.instance import Instance
from kilonova_api.kube.resources import LEASE
from kilonova_operator.domain.epoch import NotedTick
from kilonova_operator.domain.placement import HeldClaim
from kilonova_operator.domain.refusals import PlacementFrozen
from kilonova_operator.services.leadership import tick_annotation
from support.instances import make_instance
from support.made_up_hosts import find_host, make_node
from support.operator_run import OperatorLab, RunningOperator, until


async def register(lab: OperatorLab, host: str) -> None:
    await make_node(lab.kube, host)

    async def mapped() -> bool:
        found = await find_host(lab.kube, host)
        return found is not None and found.status.cell is not None

    await until(mapped, f"{host} is mapped")


async def wait_tick_noted(lab: OperatorLab, operator: RunningOperator) -> None:
    """Wait for the renewal that notes the tick of now in the Lease."""
    context = operator.process._context
    assert context is not None
    tick = context.stores.api.tick
    namespace = lab.settings["namespace"]

    async def noted() -> bool:
        lease = await lab.kube.get(LEASE, namespace, "kilonova-super")
        value = lease["metadata"].get("annotations", {}).get(tick_annotation("api"))
        note = NotedTick.of_annotation(value)
        return note is not None and note.tick >= tick

    await until(noted, f"tick {tick} is noted in the Lease")


async def held(operator: RunningOperator, uid: str) -> list[HeldClaim]:
    context = operator.process._context
    assert context is not None
    return list(await context.stores.api.list_claims(uid))


async def test_an_older_database_is_frozen_until_instances_restored_its_claims(
    own_lab: OperatorLab, tmp_path: Path
) -> None:
    first = await own_lab.lead()
    await register(own_lab, "hv1")
    await first.end()
    backup = tmp_path / "api.backup"
    copyfile(tmp_path / "api.sqlite", backup)
    second = await own_lab.lead("operator-1")
    await register(own_lab, "hv2")  # mapped after the backup
    await wait_tick_noted(own_lab, second)
    instance = make_instance(host="hv2")
    await own_lab.kube.create(Instance.resource(), instance)
    await second.end()
    copyfile(backup, tmp_path / "api.sqlite")
    third = await own_lab.lead(
        "operator-2", sweep_settle_seconds=3, host_down_seconds=5
    )
    context = third.process._context
    assert context is not None
    assert context.freeze.frozen, "the tick is below the one in the Lease"
    with pytest.raises(PlacementFrozen):
        context.freeze.check()
    await until(lambda: not context.freeze.frozen, "the sweep lifts it")
    (claim,) = await held(third, instance["metadata"]["name"])
    assert (claim.host, claim.amounts["MEMORY_MB"]) == ("hv2", 16)
    assert not third.task.done()
