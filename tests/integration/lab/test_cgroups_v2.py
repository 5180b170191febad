"""The lab's groups on cgroup v2, with the kernel's own rules.

A machine of v1 controllers lets v2 be mounted beside them. It has the hugetlb
controller there, which v1 machines rarely take; one controller is enough for
the rule that processes live in leaves only.
"""

import contextlib
import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova_lab import cgroups
from kilonova_lab.cgroups import Hierarchy, LabCgroups
from kilonova_lab.nodeboot import build_cgroup_mounts
from support.cluster import build_lab_id
from support.waiting import eventually

# Joins a group, says so, and makes children that end at once until it is killed.
_RESTLESS = """
import os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write("0")
print("joined", flush=True)
while True:
    if os.fork() == 0:
        os._exit(0)
    os.wait()
"""
_NODE = """
set -eu
echo 0 > {group}/cgroup.procs
exec unshare --cgroup --mount --propagation private sh -euc '
umount -R -l /sys
mount -t sysfs sysfs /sys
{mounts}
echo ready
read settled
cd /sys/fs/cgroup
{body}'
"""
_LOOK_AROUND = """
grep ^0: /proc/self/cgroup
ls -d system
mkdir -p pods/one
cat pods/cgroup.controllers
sh -c "echo 0 > pods/one/cgroup.procs && grep ^0: /proc/self/cgroup"
rmdir pods/one pods
"""


@pytest.fixture
def hierarchy(tmp_path: Path) -> Iterator[Hierarchy]:
    """The machine's v2 hierarchy, mounted here and left as it was."""
    place = tmp_path / "cgroup2"
    place.mkdir()
    mount = ["mount", "-t", "cgroup2", "cgroup2", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cgroup2 cannot be mounted here: {done.stderr.strip()}")
    enabled = set((place / "cgroup.subtree_control").read_text().split())
    try:
        yield Hierarchy(place, 2, "")
    finally:
        control = place / "cgroup.subtree_control"
        for name in set(control.read_text().split()) - enabled:
            control.write_text(f"-{name}")
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def lab(hierarchy: Hierarchy, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabCgroups]:
    """A lab's groups, with whatever controller v2 has on this machine."""
    controllers = (hierarchy.mount_point / "cgroup.controllers").read_text().split()
    monkeypatch.setattr(cgroups, "_V2_CONTROLLERS", tuple(controllers))
    made = LabCgroups(build_lab_id("v2"), (hierarchy,))
    yield made
    made.kill_all()
    made.remove()
    assert not any(root.exists() for root in made.roots)


@contextlib.contextmanager
def live_in(group: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process in a group that keeps making others."""
    argv = [sys.executable, "-c", _RESTLESS, str(group)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "joined\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_new_group_takes_a_process_and_its_end_is_awaited(lab: LabCgroups) -> None:
    (folder,) = lab.create("control")
    with live_in(Path(folder)) as process:
        assert process.pid in lab.find_processes("control")
        assert process.pid in lab.find_processes()
        lab.kill_all()
        assert not lab.find_processes()
        assert process.wait(10) == -9


def test_a_settled_node_has_its_processes_in_a_leaf_and_may_have_groups_beside(
    lab: LabCgroups,
) -> None:
    group = Path(lab.create("hv1")[0])
    with live_in(group) as process:
        lab.empty_into_leaf("hv1")
        assert (group / "cgroup.procs").read_text() == ""
        assert str(process.pid) in (group / "system/cgroup.procs").read_text().split()
        given = (group / "cgroup.subtree_control").read_text()
        assert given == (group / "cgroup.controllers").read_text()
        (group / "pods").mkdir()
        assert (group / "pods/cgroup.controllers").read_text() == given


def test_the_rule_of_leaves_is_the_kernels_and_why_nodes_are_settled(
    lab: LabCgroups,
) -> None:
    group = Path(lab.create("hv1")[0])
    if not (group / "cgroup.controllers").read_text().split():
        pytest.fail("v2 has no controller here: nothing of this can be shown")
    with live_in(group) as process:
        with pytest.raises(OSError, match="busy") as refused:
            cgroups._delegate(group)
        assert refused.value.errno == errno.EBUSY
        lab.empty_into_leaf("hv1")
        with pytest.raises(OSError, match="busy"):
            (group / "cgroup.procs").write_text(str(process.pid))


def test_a_node_that_died_settled_can_be_made_anew(lab: LabCgroups) -> None:
    group = Path(lab.create("hv1")[0])
    with live_in(group):
        lab.empty_into_leaf("hv1")
        (group / "pods" / "one").mkdir(parents=True)
        lab.wait_until_empty("hv1", kill=True)
    (again,) = lab.create("hv1")
    assert [path.name for path in Path(again).iterdir() if path.is_dir()] == []
    with live_in(Path(again)) as process:
        eventually(lambda: process.pid in lab.find_processes("hv1"), "it is in")


def run_in_node(lab: LabCgroups, body: str) -> str:
    """Boot as a node of a v2 machine does, settle it, and return what body says."""
    group = lab.create("hv1")[0]
    machine = Hierarchy(Path("/sys/fs/cgroup"), 2, "")
    mounts = "\n".join(build_cgroup_mounts((machine,)))
    node = subprocess.Popen(
        ["sh", "-c", _NODE.format(group=group, mounts=mounts, body=body)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert node.stdout is not None
        assert node.stdout.readline() == "ready\n", node.communicate(timeout=10)
        lab.empty_into_leaf("hv1")
        said, trouble = node.communicate("settled\n", timeout=60)
    finally:
        node.kill()
        node.wait()
    assert trouble == ""
    return said


def test_a_nodes_namespace_sees_its_own_group_as_the_whole(lab: LabCgroups) -> None:
    said = run_in_node(lab, _LOOK_AROUND)
    offered = (lab.roots[0] / "hv1/cgroup.controllers").read_text().strip()
    assert said.splitlines() == ["0::/system", "system", offered, "0::/pods/one"]


def test_runc_starts_a_container_beside_a_nodes_processes(
    lab: LabCgroups, tmp_path: Path
) -> None:
    (tmp_path / "rootfs/bin").mkdir(parents=True)
    shutil.copy("/usr/bin/busybox", tmp_path / "rootfs/bin")
    subprocess.run(["runc", "spec"], cwd=tmp_path, check=True)
    spec = json.loads((tmp_path / "config.json").read_text())
    words = ["/bin/busybox", "grep", "^0:", "/proc/self/cgroup"]
    spec["process"] |= {"terminal": False, "args": words, "rlimits": []}
    spec["linux"]["cgroupsPath"] = "/k8s.io/one"
    # Without a cgroup namespace of its own it can tell its place.
    spaces = spec["linux"]["namespaces"]
    spec["linux"]["namespaces"] = [s for s in spaces if s["type"] != "cgroup"]
    (tmp_path / "config.json").write_text(json.dumps(spec))
    run = f"timeout 30 runc --root {tmp_path}/state run --bundle {tmp_path} one"
    assert run_in_node(lab, run) == "0::/k8s.io/one\n"
