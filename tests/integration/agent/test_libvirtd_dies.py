"""libvirtd killed in the middle of a call: that is no answer to anything."""

import asyncio
from typing import Any

import libvirt
import pytest

from kilonova_agent.drivers.base import DriverUnavailable
from kilonova_agent.drivers.libvirt.domain_xml import make_environment
from kilonova_agent.drivers.libvirt.kvm_probe import executes
from kilonova_api.compute_host import ComputeHost
from support.agent_lab import AgentLab
from support.guests import make_guest, make_nic
from support.instances import make_nic_body
from support.libvirt_hooks import holding
from support.libvirt_host import LibvirtHost
from support.waiting import until

from .conftest import make_driver, running

RUNNING = libvirt.VIR_DOMAIN_RUNNING


class Listener:
    """Notes every status that an agent writes of its guests."""

    def __init__(self) -> None:
        self.statuses: list[dict[str, Any]] = []

    def wrap(self, kube: Any) -> Any:
        """Give the agent's client, overheard."""
        return _Overheard(kube, self.statuses)


class _Overheard:
    def __init__(self, kube: Any, statuses: list[dict[str, Any]]) -> None:
        self._kube = kube
        self._statuses = statuses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kube, name)

    async def apply_existing(self, resource: Any, body: Any, **more: Any) -> Any:
        if resource.kind == "Instance":
            self._statuses.append(body["status"])
        return await self._kube.apply_existing(resource, body, **more)


def qemu_processes(host: LibvirtHost) -> list[str]:
    """Give the ids of the QEMUs that run guests; libvirt may be down."""
    listed = host.run("ps", "-eo", "pid,args").splitlines()
    return [line.split()[0] for line in listed if "-name guest=instance-" in line]


def says_unavailable(host: ComputeHost) -> bool:
    agent = host.status.agent
    return agent is not None and any(
        condition.type == "HypervisorUnavailable" for condition in agent.conditions
    )


async def test_a_guest_that_started_while_libvirtd_died_is_never_told_as_failed(
    own_host_lab: AgentLab,
) -> None:
    """A fault would have it built on another host too, with the same address."""
    lab, listener = own_host_lab, Listener()
    lab.wrap_kube = listener.wrap
    async with holding(lab.host, "qemu", "started") as hold:
        await lab.restart_agent()
        instance = await lab.order(
            image=lab.images.add_disk(), networks=[make_nic_body()]
        )
        await hold.wait()

        lab.host.kill_libvirtd()

        # It stays down for longer than anybody waits in silence.
        await lab.until_host(says_unavailable)
        assert [s for s in listener.statuses if s.get("fault")] == []
        (process,) = qemu_processes(lab.host)
    await asyncio.to_thread(lab.host.start_libvirtd)
    whole = await lab.until_state(instance, "ACTIVE")
    assert whole.status.fault is None
    assert [s for s in listener.statuses if s.get("fault")] == []
    assert qemu_processes(lab.host) == [process]
    assert lab.host.domain_states() == {instance.metadata.name: RUNNING}


@pytest.mark.parametrize("step", ["prepare", "started"])
async def test_no_answer_to_a_start_is_no_rejection(
    own_host: LibvirtHost, step: str
) -> None:
    definition = make_guest(own_host.state_dir)
    async with (
        holding(own_host, "qemu", step) as hold,
        running(make_driver(own_host)) as driver,
    ):
        spawning = asyncio.create_task(driver.spawn(definition))
        await hold.wait()

        own_host.kill_libvirtd()

        with pytest.raises(DriverUnavailable):
            await spawning
        hold.hold.unlink()
        await asyncio.to_thread(own_host.start_libvirtd)
        await until(lambda: driver.available, "connected")
        await driver.spawn(definition)
    assert own_host.domain_states() == {definition.uuid: RUNNING}
    assert len(qemu_processes(own_host)) == 1


async def test_no_answer_about_a_network_is_no_fault_of_the_network(
    own_host: LibvirtHost,
) -> None:
    async with (
        holding(own_host, "network", "start") as hold,
        running(make_driver(own_host)) as driver,
    ):
        plugging = asyncio.create_task(driver.plug([make_nic()]))
        await hold.wait()

        own_host.kill_libvirtd()

        with pytest.raises(DriverUnavailable):
            await plugging
        hold.hold.unlink()
        await asyncio.to_thread(own_host.start_libvirtd)
        await until(lambda: driver.available, "connected")
        await driver.plug([make_nic()])


async def test_no_answer_to_the_probe_is_no_verdict(own_host: LibvirtHost) -> None:
    async with holding(own_host, "qemu", "prepare") as hold:
        with own_host.connection() as connection:
            probing = asyncio.create_task(
                asyncio.to_thread(
                    executes,
                    connection,
                    make_environment(),
                    virt_type="qemu",
                    folder=own_host.state_dir / "probe",
                )
            )
            await hold.wait()

            own_host.kill_libvirtd()

            with pytest.raises(libvirt.libvirtError):
                await probing
