"""A file system without room: told to people, and cured by making room."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kilonova_agent.services import reconciler
from support.agent_lab import AgentLab


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Lay a file system of that size over a folder."""
    _mount("-t", "tmpfs", "-o", f"size={size},mode=0711", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    ("size", "filled", "who"),
    [("8k", 8192, "the agent"), ("64k", 0, "qemu-img"), ("8k", 0, "mkswap")],
)
async def test_a_full_disk_is_told_and_cured_by_room(
    lab: AgentLab, monkeypatch: pytest.MonkeyPatch, size: str, filled: int, who: str
) -> None:
    monkeypatch.setattr(reconciler, "FAULT_RETRY_SECONDS", 0.5)
    folder = lab.host.state_dir / "instances"
    swap = {"swapMiB": 8} if who == "mkswap" else {}
    with small_disk(folder, size):
        (folder / "filler").write_bytes(bytes(filled))

        instance = await lab.order(
            image=lab.images.add_disk(),
            powerState="Stopped",
            flavor={"vcpus": 1, "ramMiB": 16, **swap},
        )

        failed = await lab.until_state(instance, "ERROR")
        fault = failed.status.fault
        assert fault is not None
        assert (fault.reason, fault.retryable) == ("DiskFull", True)
        assert failed.status.built_at is None
        _mount("-o", "remount,size=16m", str(folder))
        await lab.until_state(instance, "SHUTOFF")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
