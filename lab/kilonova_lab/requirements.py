"""Programs of the machine that the lab needs, and the Debian packages with them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from kilonova_lab.errors import ProgramsMissing

FOR_CLUSTER: Mapping[str, str] = {
    "conntrack": "conntrack",
    "dnsmasq": "dnsmasq-base",
    "gcc": "gcc",
    "ip": "iproute2",
    "iptables": "iptables",
    "libvirtd": "libvirt-daemon",
    "nsenter": "util-linux",
    "qemu-system-x86_64": "qemu-system-x86",
    "runc": "runc",
    "tini": "tini",
    "unshare": "util-linux",
    "virtlogd": "libvirt-daemon-system",
}
FILES_FOR_CLUSTER: Mapping[str, str] = {
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/usr/share/libvirt/nwfilter/clean-traffic.xml": "libvirt-daemon-config-nwfilter",
}
_ADMIN_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def build_path() -> str:
    """Return a PATH with the administrator's folders, which users often lack."""
    return f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_ADMIN_FOLDERS}"


def check_requirements() -> None:
    """Make sure that everything a cluster needs is installed.

    Raises:
        ProgramsMissing: names all that is missing and one command for it.
    """
    missing = {
        name: package
        for name, package in FOR_CLUSTER.items()
        if shutil.which(name, path=build_path()) is None
    }
    missing |= {
        file: package
        for file, package in FILES_FOR_CLUSTER.items()
        if not Path(file).exists()
    }
    if os.getuid() != 0 and shutil.which("sudo") is None:
        missing["sudo"] = "sudo"
    if missing:
        raise ProgramsMissing(missing.keys(), missing.values())
