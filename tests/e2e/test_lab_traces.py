"""A lab's start is quick; its end leaves nothing on the machine, however it came."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kilonova_lab import machine
from kilonova_lab.cluster import Cluster, stop_lab
from kilonova_lab.deploy.up import build_archives
from kilonova_lab.stopwatch import Stopwatch
from support.cluster import build_lab_id, running_cluster
from support.machine_state import (
    await_no_difference,
    find_lab_processes,
    find_living,
    find_namespaces,
    read_machine_state,
)
from support.waiting import eventually

_OWNER = """
import os, sys
from kilonova_lab.cluster import Cluster
reading, writing = os.pipe()
Cluster.start(sys.argv[1], lifeline=os.fdopen(reading, "rb"), report=lambda step: None)
print("up", flush=True)
sys.stdin.read()
"""


SECOND_START_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class SecondStart:
    """A lab that has just come up, and how long it took."""

    cluster: Cluster
    archives: list[Path]
    seconds: float


@pytest.fixture
def lab_id() -> Iterator[str]:
    made = build_lab_id("end")
    yield made
    stop_lab(made)


def find_root_process(lab_id: str) -> int:
    """Return the one process whose end must take everything."""
    supervisor = Cluster.open(lab_id).supervisor.get_pid()
    init = int(Path(f"/proc/{supervisor}/stat").read_text().rsplit(")")[1].split()[1])
    return int(Path(f"/proc/{init}/stat").read_text().rsplit(")")[1].split()[1])


def test_sigkill_then_the_next_start_then_down_leave_the_machine_as_it_was(
    lab_id: str,
) -> None:
    before = read_machine_state()
    Cluster.start(lab_id)
    processes = find_lab_processes(lab_id)
    namespaces = find_namespaces(processes)
    assert len(processes) > 20
    assert len(namespaces) > 20

    os.kill(find_root_process(lab_id), signal.SIGKILL)

    eventually(lambda: not find_lab_processes(lab_id), "every process has ended")
    eventually(lambda: not find_living(namespaces), "every namespace is gone")
    assert not machine.is_running(lab_id)
    Cluster.start(lab_id).stop()
    await_no_difference(before)
    assert not find_lab_processes(lab_id)


def test_a_lab_ends_with_the_process_that_holds_its_lifeline(lab_id: str) -> None:
    package_root = Path(__file__).resolve().parents[2] / "lab"
    before = read_machine_state()
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, lab_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(package_root)},
    )
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        namespaces = find_namespaces(find_lab_processes(lab_id))
    finally:
        owner.kill()
        owner.communicate()
    eventually(lambda: not find_lab_processes(lab_id), "every process has ended")
    eventually(lambda: not find_living(namespaces), "every namespace is gone")
    stop_lab(lab_id)
    await_no_difference(before)


@pytest.fixture(scope="module")
def second(cluster: Cluster) -> Iterator[SecondStart]:
    """A lab beside the session's, which has filled every cache."""
    watch = Stopwatch(print)
    archives = build_archives(watch)
    with running_cluster(build_lab_id("two"), archives=archives) as other:
        seconds = watch.seconds
        assert cluster.api.is_ready()
        yield SecondStart(other, archives, seconds)
    assert cluster.api.is_ready()
    assert all(node.running for node in cluster.nodes)


def test_with_warm_caches_a_lab_is_up_with_its_images_in_time(
    second: SecondStart,
) -> None:
    print(f"a second start took {second.seconds:.1f} s")
    lacked = second.cluster.import_images(second.archives)
    assert lacked == {node.name: [] for node in second.cluster.nodes}
    assert second.seconds < SECOND_START_SECONDS


def test_two_labs_run_side_by_side_in_ranges_of_their_own(
    cluster: Cluster, second: SecondStart
) -> None:
    assert not second.cluster.plan.node_range.overlaps(cluster.plan.node_range)
    assert second.cluster.api.is_ready()
