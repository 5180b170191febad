"""Killed at every write of a file: one guest, nothing leaked, nothing lost.

A life in peace tells which writes a build, a delete and the sweep after them
take. Then each of them ends the agent in a life of its own: right after it, and
half through it where a write has a middle.
"""

import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from support.file_systems import FileCut
from support.image_server import ImageServer
from support.instances import make_instance, make_nic_body
from support.mortal_agent import NODE, MortalAgent, mortal_agent

UUID = "11111111-2222-4333-8444-555555555555"
STATE = {"agent.lock", "host-id", "orders.json"}
AGES = {"bin-ages.json", "image-ages.json"}
DISKS = ["disk.config", "disk.qcow2", "ephemeral.qcow2", "image", "swap.raw"]
HALVABLE = ("append ", "create ", "create_sparse ", "remove_tree ")
Life = Callable[[MortalAgent, ImageServer], Awaitable[None]]


async def build(host: MortalAgent, images: ImageServer) -> None:
    """Order a guest and see it run, whole and once."""
    host.order(build_order(images))
    await host.until_state(UUID, "ACTIVE")
    assert host.hypervisor.running() == [UUID]
    assert host.hypervisor.starts == [UUID]
    folder = host.state_dir / "instances" / UUID
    assert files_in(host, "instances") == [f"{UUID}/{name}" for name in DISKS]
    assert (folder / "disk.qcow2").read_bytes().startswith(b"QFI\xfb")
    assert (folder / "ephemeral.qcow2").read_bytes().startswith(b"QFI\xfb")
    assert b"SWAPSPACE2" in (folder / "swap.raw").read_bytes()
    assert (folder / "disk.config").read_bytes()[32769:32774] == b"CD001"
    name = (folder / "image").read_text()
    assert files_in(host, "images") == [name, f"{name}.json"]
    served = (images.folder / "blank.qcow2").read_bytes()
    assert (host.state_dir / "images" / name).read_bytes() == served
    assert files_in(host, "bin") == []


async def end(host: MortalAgent) -> None:
    """Order its end and see that only the bin has anything of it."""
    await host.destroy(UUID)
    await host.until_state(UUID, None)
    assert host.hypervisor.guests == {}
    assert host.hypervisor.stops == []
    assert host.hypervisor.leases == set()
    assert list((host.state_dir / "instances").iterdir()) == []


async def sweep(host: MortalAgent) -> None:
    """Let everything be old, and see that nothing is left of it."""
    await host.sweep()
    await host.sweep()
    assert set(host.list_files()) - AGES == STATE
    assert list((host.state_dir / "bin").iterdir()) == []


async def whole_life(host: MortalAgent, images: ImageServer) -> None:
    """Build, delete, sweep."""
    await build(host, images)
    await end(host)
    assert host.hypervisor.ends == [UUID]
    (entry,) = (host.state_dir / "bin").iterdir()
    assert files_in(host, "bin") == [f"{entry.name}/{name}" for name in DISKS]
    await sweep(host)


async def unwanted_life(host: MortalAgent, images: ImageServer) -> None:
    """A build that is deleted before it was done, by the agent after."""
    host.order(build_order(images))
    await host.until(
        lambda: bool(host.cut.killed_at) or host.state(UUID) == "ACTIVE",
        "the agent is killed, or done",
    )
    await end(host)
    assert len(list((host.state_dir / "bin").iterdir())) <= 1
    await sweep(host)


def build_order(images: ImageServer) -> dict[str, object]:
    return make_instance(
        host=NODE,
        name=UUID,
        image=images.image_of("blank.qcow2", format_="qcow2"),
        flavor={"vcpus": 1, "ramMiB": 16, "ephemeralGiB": 1, "swapMiB": 8},
        networks=[make_nic_body()],
    )


def files_in(host: MortalAgent, folder: str) -> list[str]:
    inside = f"{folder}/"
    return [p.removeprefix(inside) for p in host.list_files() if p.startswith(inside)]


@pytest.fixture
async def steps(quick_path: Path, images: ImageServer) -> list[str]:
    """The writes of a life in peace."""
    cut = FileCut(lambda _: False)
    folder = quick_path / "peace" / "life" / "state"
    async with mortal_agent(folder, cut) as host:
        await whole_life(host, images)
        assert host.kills == 0
    return cut.seen


def test_a_life_in_peace_has_the_writes_that_are_broken_below(
    steps: list[str],
) -> None:
    for step in (
        "rename state/.orders.json.*.tmp to state/orders.json",
        "rename state/.host-id.*.tmp to state/host-id",
        "append images/*.qcow2.part",
        "rename images/*.qcow2.part to images/*.qcow2",
        "rename */.image.*.tmp to */image",
        "link */ephemeral.qcow2.*.building to */ephemeral.qcow2",
        "link */swap.raw.*.building to */swap.raw",
        "link */disk.qcow2.*.building to */disk.qcow2",
        "rename */.disk.config.*.tmp to */disk.config",
        "rename instances/* to bin/*.*",
        "remove_tree bin/*.*",
        "unlink images/*.qcow2",
    ):
        assert step in steps, f"{step} is not among {steps}"


@pytest.mark.parametrize("half", [False, True], ids=["after", "half through"])
@pytest.mark.parametrize("life", [whole_life, unwanted_life])
async def test_killed_at_every_write_nothing_is_doubled_or_left(
    quick_path: Path, images: ImageServer, steps: list[str], life: Life, *, half: bool
) -> None:
    last = len(steps)
    if life is unwanted_life:
        last = steps.index("rename instances/* to bin/*.*")
    broken = {}
    for number, step in enumerate(steps[:last]):
        if half and not step.startswith(HALVABLE):
            continue
        folder = quick_path / str(number) / "life" / "state"
        cut = FileCut(is_due=nth(number), half=half)
        try:
            async with mortal_agent(folder, cut) as host:
                await life(host, images)
            assert (cut.killed_at, host.kills) == (step, 1)
        except AssertionError as error:
            broken[f"{number} {step}"] = error
    assert not broken, "\n\n".join(f"{k}: {v}" for k, v in broken.items())


def nth(number: int) -> Callable[[str], bool]:
    """Build a cut's due date: its write of this number, counted from 0."""
    counter = itertools.count()
    return lambda _: next(counter) == number
