"""Finding the machine's cgroups in what it says of its mounts."""

from pathlib import Path

from kilonova_lab.cgroups import LabCgroups, find_hierarchies

V1 = """\
20 1 0:19 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
21 20 0:20 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
22 20 0:21 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
23 20 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
"""
V2 = "20 1 0:19 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_v1_controllers_are_mounted_again_together_as_they_are() -> None:
    commands = [h.mount_command for h in find_hierarchies(V1)]
    assert commands == [
        "mount -t cgroup -o cpu,cpuacct cgroup /sys/fs/cgroup/cpu,cpuacct",
        "mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd",
    ]


def test_a_machine_of_v2_alone_has_one_hierarchy() -> None:
    (hierarchy,) = find_hierarchies(V2)
    assert hierarchy.mount_command == "mount -t cgroup2 cgroup2 /sys/fs/cgroup"


def test_a_machine_without_cgroups_has_none() -> None:
    assert find_hierarchies("20 1 0:19 / / rw - ext4 /dev/vda rw\n") == ()


def test_labs_keep_to_groups_of_their_own() -> None:
    cgroups = LabCgroups("a1", find_hierarchies(V2))
    assert cgroups.roots == (Path("/sys/fs/cgroup/kilonova-a1"),)
