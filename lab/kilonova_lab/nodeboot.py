"""What turns a fresh set of namespaces into a node. Pure text.

A node shares the machine's /usr. Its own are /etc (an overlay, so that the
machine's stays as it is), /var, /run (new at each boot) and, of course, its
network, processes, mounts and cgroups.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kilonova_lab.cgroups import Hierarchy
from kilonova_lab.config import Mount

PROGRAMS = Path("/run/lab")
"""Where a node finds the lab's programs, whatever their place on the machine."""

STAGED_LIBVIRT = Path("/etc/kilonova-lab/libvirt")
"""libvirt's files, written before the node's first boot."""

NETWORK_FILTERS = Path("/usr/share/libvirt/nwfilter")
"""libvirt's own filters (clean-traffic and the like), as its package ships them."""

_VAR_FOLDERS = "cache lib lib/misc log log/pods log/libvirt spool tmp"


def build_boot_script(
    name: str,
    root: Path,
    *,
    mounts: tuple[Mount, ...],
    programs: Mapping[str, Path],
    hierarchies: tuple[Hierarchy, ...],
) -> str:
    """Return the script that a node's first process runs.

    The folders under ``root`` lie below /var and vanish with it, so they are
    mounted in that order: kept data into var, programs into run, then both.
    """
    lines = [
        "set -eu",
        f"hostname {name}",
        f"cd {root}",
        "rm -rf run",
        "mkdir -p etc etc.work run/lab run/lock run/containerd var kept",
        f"(cd var && mkdir -p {_VAR_FOLDERS} && chmod 1777 tmp)",
        "ln -sfn /run var/run && ln -sfn /run/lock var/lock",
        *(line for mount in mounts for line in _build_mount(mount)),
        *(
            f"mkdir run/lab/{key} && mount --bind {folder} run/lab/{key}"
            for key, folder in programs.items()
        ),
        "mount -t overlay overlay -o lowerdir=/etc,upperdir=etc,workdir=etc.work /etc",
        "mount --rbind run /run",
        "mount --rbind var /var",
        "cd /",
        # The machine's cgroup mounts would still be listed below a covered /sys.
        "umount -R -l /sys",
        "mount -t sysfs sysfs /sys",
        *build_cgroup_mounts(hierarchies),
        # Mounts must propagate into pods (and back, for those that ask).
        "mount --make-rshared /",
        _LIBVIRT_FIRST_BOOT,
    ]
    return "\n".join(lines)


# The machine's own libvirt networks and guests are not the node's.
_LIBVIRT_FIRST_BOOT = f"""
if [ ! -e /etc/kilonova-lab/installed ]; then
  rm -rf /etc/libvirt
  mkdir -p /etc/libvirt/qemu/networks /etc/libvirt/nwfilter
  cp {NETWORK_FILTERS}/*.xml /etc/libvirt/nwfilter/
  cp {STAGED_LIBVIRT}/* /etc/libvirt/
  touch /etc/kilonova-lab/installed
fi
mkdir -p -m 711 /var/lib/libvirt"""


def _build_mount(mount: Mount) -> tuple[str, ...]:
    target = mount.container_path.removeprefix("/")
    options = "--bind -o ro" if mount.read_only else "--bind"
    return (
        f"mkdir -p kept/{mount.folder_name} {target}",
        f"mount {options} kept/{mount.folder_name} {target}",
    )


def build_cgroup_mounts(hierarchies: tuple[Hierarchy, ...]) -> tuple[str, ...]:
    """Mount every v1 controller and the named one: exec into pods needs them all."""
    if all(hierarchy.version == 2 for hierarchy in hierarchies):
        return tuple(hierarchy.mount_command for hierarchy in hierarchies)
    return (
        "mount -t tmpfs tmpfs /sys/fs/cgroup",
        *(f"mkdir -p {h.mount_point} && {h.mount_command}" for h in hierarchies),
    )
