"""Over which version a status is written."""

from typing import Any

import pytest

from kilonova_agent.domain.status import report_building, report_power
from kilonova_agent.drivers.base import GuestPower
from kilonova_agent.services.status_writer import StatusWriter
from kilonova_api.instance import Instance
from kilonova_api.kube.errors import Conflict
from kilonova_api.kube.resources import Key
from support.clock import FakeClock
from support.instances import make_instance
from support.memory_cluster import MemoryCluster

BUILDING = report_building("spawning")
RUNS = report_power(GuestPower.RUNNING, wanted_on=True)


class Stage:
    """One Instance in a cluster, and the agent's writer."""

    def __init__(self) -> None:
        self.kube = MemoryCluster(FakeClock())
        self.kube.put(Instance.resource(), make_instance())
        kube: Any = self.kube
        self.writer = StatusWriter(kube, FakeClock(), agent_version="0.1.0")

    def read(self) -> Instance:
        (found,) = self.kube.all("Instance")
        return Instance.model_validate(found)

    def change(self) -> None:
        """Change the Instance, as the conductor does."""
        wanted = self.read()
        (found,) = self.kube.all("Instance")
        body = found | {"spec": found["spec"] | {"serverGeneration": 2}}
        self.kube.put(Instance.resource(), body)
        assert self.read().metadata.resource_version != wanted.metadata.resource_version


async def test_our_own_write_that_the_informer_has_not_shown_is_written_over() -> None:
    stage = Stage()
    wanted = stage.read()

    await stage.writer.write(wanted, BUILDING, None)
    await stage.writer.write(wanted, RUNS, None)

    assert stage.read().status.state == "ACTIVE"


async def test_an_instance_that_changed_since_is_looked_at_again() -> None:
    stage = Stage()
    wanted = stage.read()
    stage.change()

    with pytest.raises(Conflict):
        await stage.writer.write(wanted, RUNS, None)
    assert stage.read().status.state is None
    await stage.writer.write(stage.read(), RUNS, None)

    assert stage.read().status.state == "ACTIVE"


async def test_an_instance_that_is_gone_gets_nothing() -> None:
    stage = Stage()
    wanted = stage.read()
    del stage.kube.objects["Instance", Key.of_object(make_body(wanted))]

    await stage.writer.write(wanted, RUNS, None)

    assert stage.kube.all("Instance") == []


def make_body(wanted: Instance) -> dict[str, Any]:
    """Build what names the Instance."""
    meta = wanted.metadata
    return {"metadata": {"namespace": meta.namespace, "name": meta.name}}
