"""An agent killed before or after each of its steps; the next one goes on."""

import asyncio
from typing import Any, cast

import libvirt
import pytest

from kilonova_agent.storage.file_system import HostFileSystem
from kilonova_api.instance import Instance
from support.agent_lab import AgentLab
from support.file_systems import CutFileSystem, FileCut
from support.instances import make_nic_body

RUNNING = libvirt.VIR_DOMAIN_RUNNING


class Trap:
    """Lets calls through until the chosen one, which never comes back."""

    def __init__(self, inner: Any, call: str, when: str, sprung: asyncio.Event) -> None:
        self._inner = inner
        self._call = call
        self._when = when
        self._sprung = sprung

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._trapped(found) if name == self._call else found

    def _trapped(self, function: Any) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if self._when == "after":
                await function(*args, **kwargs)
            self._sprung.set()
            await asyncio.Event().wait()

        return call


def set_trap(lab: AgentLab, call: str, when: str) -> asyncio.Event:
    """Arm a trap for the next agent."""
    sprung = asyncio.Event()

    def wrap(inner: Any) -> Any:
        return Trap(inner, call, when, sprung)

    lab.wrap_driver = lab.wrap_kube = wrap
    return sprung


def set_file_cut(lab: AgentLab, step: str) -> asyncio.Event:
    """Have the next agent end right after a write of a file."""
    sprung = asyncio.Event()
    loop = asyncio.get_running_loop()
    cut = FileCut(
        lambda label: label == step,
        on_kill=lambda: loop.call_soon_threadsafe(sprung.set),
    )
    lab.fs = cast("Any", CutFileSystem(cut))
    return sprung


async def kill_when(lab: AgentLab, sprung: asyncio.Event) -> None:
    """Kill the agent in the trap, and start one without."""
    async with asyncio.timeout(60):
        await sprung.wait()
    lab.wrap_driver = lambda driver: driver
    lab.wrap_kube = lambda kube: kube
    lab.fs = HostFileSystem()
    await lab.restart_agent()


def folders(lab: AgentLab, name: str) -> list[str]:
    folder = lab.host.state_dir / name
    return sorted(path.name for path in folder.iterdir())


async def make_ready(lab: AgentLab) -> None:
    """Have the host accepted before the trap is armed."""
    lab.settings = {"build_report_after_seconds": 60}
    lab.start_agent()
    await lab.accept_host()
    await lab.kill_agent()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["plug", "spawn", "apply_existing"])
async def test_a_build_that_was_killed_ends_in_one_guest(
    idle_lab: AgentLab, call: str, when: str
) -> None:
    lab = idle_lab
    await make_ready(lab)
    sprung = set_trap(lab, call, when)
    instance = await lab.order(image=lab.images.add_disk(), networks=[make_nic_body()])
    lab.start_agent()

    await kill_when(lab, sprung)

    await _assert_one_guest(lab, instance)


@pytest.mark.parametrize(
    "step",
    [
        "append images/*.qcow2.part",
        "rename images/*.qcow2.part to images/*.qcow2",
        "link */disk.qcow2.*.building to */disk.qcow2",
        "create */.disk.config.*.tmp",
        "rename */.disk.config.*.tmp to */disk.config",
    ],
)
async def test_a_build_that_was_killed_at_a_file_ends_in_one_guest(
    idle_lab: AgentLab, step: str
) -> None:
    """All writes of files, on a hypervisor in memory: tests/unit/agent."""
    lab = idle_lab
    await make_ready(lab)
    sprung = set_file_cut(lab, step)
    instance = await lab.order(image=lab.images.add_disk(), networks=[make_nic_body()])
    lab.start_agent()

    await kill_when(lab, sprung)

    await _assert_one_guest(lab, instance)


async def _assert_one_guest(lab: AgentLab, instance: Instance) -> None:
    await lab.until_state(instance, "ACTIVE")
    assert lab.host.domain_states() == {instance.metadata.name: RUNNING}
    assert folders(lab, "instances") == [instance.metadata.name]
    assert folders(lab, "bin") == []
    files = {path.name for path in lab.files(instance).iterdir()}
    assert files == {"console.log", "disk.config", "disk.qcow2", "image"}
    name = (lab.files(instance) / "image").read_text()
    assert folders(lab, "images") == [name, f"{name}.json"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["destroy", "unplug", "delete"])
async def test_an_end_that_was_killed_leaves_nothing(
    idle_lab: AgentLab, call: str, when: str
) -> None:
    lab = idle_lab
    await make_ready(lab)
    lab.start_agent()
    instance = await lab.order(image=lab.images.add_disk(), networks=[make_nic_body()])
    await lab.until_state(instance, "ACTIVE")
    await lab.kill_agent()
    sprung = set_trap(lab, call, when)
    lab.start_agent()
    await lab.destroy(instance)

    await kill_when(lab, sprung)

    await _assert_nothing_left(lab, instance)


@pytest.mark.parametrize(
    "step",
    [
        "rename instances/* to bin/*.*",
        "rename state/.orders.json.*.tmp to state/orders.json",
    ],
)
async def test_an_end_that_was_killed_at_a_file_leaves_nothing(
    idle_lab: AgentLab, step: str
) -> None:
    lab = idle_lab
    await make_ready(lab)
    lab.start_agent()
    instance = await lab.order(image=lab.images.add_disk(), networks=[make_nic_body()])
    await lab.until_state(instance, "ACTIVE")
    await lab.kill_agent()
    sprung = set_file_cut(lab, step)
    lab.start_agent()
    await lab.destroy(instance)

    await kill_when(lab, sprung)

    await _assert_nothing_left(lab, instance)


async def _assert_nothing_left(lab: AgentLab, instance: Instance) -> None:
    await lab.until_gone(instance)
    assert lab.host.domain_states() == {}
    assert folders(lab, "instances") == []
    assert len(folders(lab, "bin")) == 1
    await _assert_no_lease(lab)


async def _assert_no_lease(lab: AgentLab) -> None:
    with lab.host.connection() as connection:
        texts = [network.XMLDesc(0) for network in connection.listAllNetworks()]
    assert not any("fa:16:3e:00:00:05" in text for text in texts)
