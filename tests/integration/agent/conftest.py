"""Fixtures of the agent's tests: a real hypervisor host, and a driver on it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from kilonova_api.kube.clock import SystemClock
from kilonova_lab.controlplane import ControlPlane
from support.agent_lab import AgentLab, agent_lab
from support.libvirt_host import LibvirtHost
from support.operator_run import apply_crds

Pair = tuple[AgentLab, AgentLab]


@pytest.fixture(scope="session")
def shared_host() -> Iterator[LibvirtHost]:
    """One hypervisor host for the tests that leave it as they found it."""
    with LibvirtHost("hv1") as host:
        yield host


@pytest.fixture
def host(shared_host: LibvirtHost) -> Iterator[LibvirtHost]:
    """The shared host, without any guest or network of the last test."""
    yield shared_host
    shared_host.clear()


@pytest.fixture
def own_host() -> Iterator[LibvirtHost]:
    """A hypervisor host that this test may break."""
    with LibvirtHost("hv2") as host:
        yield host


def make_driver(host: LibvirtHost) -> LibvirtDriver:
    """Build a driver for a host; its ``run`` is not running yet."""
    return LibvirtDriver(
        host.uri,
        state_dir=host.state_dir,
        virt_type="qemu",
        clock=SystemClock(),
        random=Random(1),
    )


@contextlib.asynccontextmanager
async def running(driver: LibvirtDriver) -> AsyncIterator[LibvirtDriver]:
    """Run a driver and wait until it is connected."""
    task = asyncio.create_task(driver.run())
    try:
        await until(lambda: driver.available)
        yield driver
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(done: Callable[[], bool], timeout_seconds: float = 30.0) -> None:
    """Wait until ``done`` holds."""
    async with asyncio.timeout(timeout_seconds):
        while not done():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.02)


@pytest.fixture
async def driver(host: LibvirtHost) -> AsyncIterator[LibvirtDriver]:
    """A connected driver on the shared host."""
    async with running(make_driver(host)) as driver:
        yield driver


@pytest.fixture
async def idle_lab(
    control_plane: ControlPlane, host: LibvirtHost, tmp_path: Path
) -> AsyncIterator[AgentLab]:
    """A host that the API server knows; no agent runs yet."""
    async with agent_lab(control_plane, host, tmp_path) as lab:
        await apply_crds(lab.kube)
        await lab.make_host()
        yield lab


@pytest.fixture
async def lab(idle_lab: AgentLab) -> AgentLab:
    """A host whose agent runs and whose identity is accepted."""
    idle_lab.start_agent()
    await idle_lab.accept_host()
    return idle_lab


@pytest.fixture
async def own_lab(
    own_control_plane: ControlPlane, host: LibvirtHost, tmp_path: Path
) -> AsyncIterator[AgentLab]:
    """A host with its agent, on an API server that this test may break."""
    async with agent_lab(own_control_plane, host, tmp_path) as lab:
        await apply_crds(lab.kube)
        await lab.make_host()
        lab.start_agent()
        await lab.accept_host()
        yield lab


@pytest.fixture
async def own_host_lab(
    control_plane: ControlPlane, own_host: LibvirtHost, tmp_path: Path
) -> AsyncIterator[AgentLab]:
    """A host with its agent, whose libvirtd this test may break."""
    async with agent_lab(control_plane, own_host, tmp_path) as lab:
        await apply_crds(lab.kube)
        await lab.make_host()
        lab.start_agent()
        await lab.accept_host()
        yield lab


@pytest.fixture
async def pair(
    control_plane: ControlPlane,
    host: LibvirtHost,
    own_host: LibvirtHost,
    tmp_path: Path,
) -> AsyncIterator[Pair]:
    """Two accepted hosts on one API server."""
    async with contextlib.AsyncExitStack() as ends:
        labs = []
        for number, machine in enumerate((host, own_host)):
            folder = tmp_path / str(number)
            folder.mkdir()
            lab = await ends.enter_async_context(
                agent_lab(control_plane, machine, folder)
            )
            await apply_crds(lab.kube)
            await lab.make_host()
            lab.start_agent()
            await lab.accept_host()
            labs.append(lab)
        yield labs[0], labs[1]
