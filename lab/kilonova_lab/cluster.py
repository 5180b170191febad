"""A whole lab: control plane and nodes, as ``kind-config.yaml`` describes them.

``Cluster.start`` brings one up, ``Cluster.open`` finds one that runs, and
``stop`` ends it and removes every trace. Labs are told apart by their id.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO, Any

from kilonova_lab import bringup, labroot, machine
from kilonova_lab.addresses import AddressPlan
from kilonova_lab.api import Api
from kilonova_lab.cgroups import get_hierarchies
from kilonova_lab.commands import ControlPlaneLayout
from kilonova_lab.config import ClusterConfig
from kilonova_lab.controlplane import ControlPlanePrograms, build_programs
from kilonova_lab.errors import AlreadyRunning, LabError, NotRunning
from kilonova_lab.folders import REPOSITORY, build_user_state_folder
from kilonova_lab.imagestore import ArchivedImage
from kilonova_lab.node import LabContext, Node
from kilonova_lab.pki import CertificateAuthority
from kilonova_lab.preparedstore import StoreMaker
from kilonova_lab.programs import CONTAINERD, COREDNS, KUBE, ProgramCache
from kilonova_lab.requirements import check_requirements
from kilonova_lab.stopwatch import Report, Stopwatch
from kilonova_lab.supervised import Program, SupervisorClient

DEFAULT_ID = "main"
DEFAULT_CONFIG = REPOSITORY / "kind-config.yaml"

_READY_FILE = "ready"
_ID_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?")
_API_PORT, _ETCD_PORT, _ETCD_PEER_PORT = 6443, 2379, 2380


class Cluster:
    """A lab that runs, and the handles of all its parts."""

    def __init__(self, lab_id: str, description: Mapping[str, Any]) -> None:
        self.id = lab_id
        self.folder = machine.get_state_folder(lab_id)
        self.config = ClusterConfig.load(self.folder / "cluster.yaml")
        self.plan = AddressPlan.build(description["slot"], self.config)
        self.supervisor = SupervisorClient(self.folder / "supervisor.sock")
        programs = {name: Path(path) for name, path in description["programs"].items()}
        self.bin_folders = (programs["kube"], programs["containerd"])
        self.layout = ControlPlaneLayout(
            folder=self.folder / "control-plane",
            programs=programs["kube"],
            bind_address="0.0.0.0",  # noqa: S104 - in the lab's own namespace
            advertise_address=str(self.plan.gateway),
            port=_API_PORT,
            etcd_port=_ETCD_PORT,
            etcd_peer_port=_ETCD_PEER_PORT,
            service_range=str(self.plan.service_range),
            pod_range=str(self.plan.pod_range),
            # What `make up` made lives for long; tests and benches count in theirs.
            rotates_audit_log=lab_id == DEFAULT_ID,
        )
        context = LabContext(
            lab_id=lab_id,
            folder=self.folder,
            supervisor=self.supervisor,
            plan=self.plan,
            programs={name: programs[name] for name in ("kube", "containerd")},
            hierarchies=get_hierarchies(),
            server=self.layout.server,
            owner=os.getuid(),
        )
        self.nodes = tuple(
            Node(context, config, index)
            for index, config in enumerate(self.config.nodes)
        )

    @classmethod
    def start(
        cls,
        lab_id: str = DEFAULT_ID,
        *,
        config_path: Path = DEFAULT_CONFIG,
        archives: Iterable[Path] = (),
        lifeline: IO[bytes] | None = None,
        report: Report = print,
    ) -> Cluster:
        """Bring a lab up: nodes Ready, DNS answering, the lab's images there.

        Args:
            lab_id: 1 to 11 lower-case letters, digits or dashes.
            config_path: kind's cluster file.
            archives: images that every node has from the beginning, which is
                much faster than importing them later.
            lifeline: the reading end of a pipe; the lab ends when its writing
                end does. None: it lives until ``stop``.
            report: told each step that is done.

        Raises:
            AlreadyRunning: a lab of this id runs; nothing was changed.
            ProgramsMissing: says what to install.
            LabError: it did not come up; everything was removed again.
        """
        check_id(lab_id)
        ClusterConfig.load(config_path)
        check_requirements()
        if machine.is_running(lab_id):
            raise AlreadyRunning(lab_id)
        modules = ProgramCache(report=report).ensure(KUBE, CONTAINERD, COREDNS)
        watch = Stopwatch(report)
        slot = labroot.start(lab_id, lifeline=lifeline)
        try:
            cluster = cls._create(lab_id, config_path, slot=slot, programs=modules)
            bringup.bring_up(cluster, list(archives), watch)
        except BaseException:
            labroot.stop(lab_id)
            raise
        return cluster

    @classmethod
    def open(cls, lab_id: str = DEFAULT_ID) -> Cluster:
        """Return the running lab of this id.

        Raises:
            NotRunning: there is none, or it has not finished starting.
        """
        check_id(lab_id)
        folder = machine.get_state_folder(lab_id)
        if not machine.is_running(lab_id) or not (folder / _READY_FILE).exists():
            raise NotRunning(lab_id)
        return cls(lab_id, json.loads((folder / "cluster.json").read_text()))

    @classmethod
    def _create(
        cls, lab_id: str, config_path: Path, *, slot: int, programs: Mapping[str, Path]
    ) -> Cluster:
        folder = machine.get_state_folder(lab_id)
        shutil.copy(config_path, folder / "cluster.yaml")
        paths = {name: str(path) for name, path in programs.items()}
        description = {"slot": slot, "programs": paths}
        (folder / "cluster.json").write_text(json.dumps(description))
        return cls(lab_id, description)

    def stop(self) -> None:
        """End everything and remove every trace of it."""
        stop_lab(self.id)

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig, this user's file."""
        return build_user_state_folder(self.id) / "kubeconfig"

    @property
    def ready_file(self) -> Path:
        """Is there once the lab has come up whole."""
        return self.folder / _READY_FILE

    @property
    def libvirt_in_nodes(self) -> bool:
        """Nodes labelled so have libvirt of their own."""
        return True

    @property
    def audit_log(self) -> Path:
        """One JSON event a line for each write, written before its answer."""
        return self.layout.audit_log

    @cached_property
    def api(self) -> Api:
        """A small client for the lab's own needs."""
        return Api.from_kubeconfig(self.kubeconfig)

    @cached_property
    def control_plane(self) -> ControlPlanePrograms:
        """etcd, API server, controller manager, scheduler."""
        return build_programs(
            self.layout, self.supervisor, api=self.api, with_nodes=True
        )

    @property
    def apiserver(self) -> Program:
        """The API server, to be killed, started and awaited."""
        return self.control_plane.apiserver

    @property
    def etcd(self) -> Program:
        """The API server's store."""
        return self.control_plane.etcd

    @property
    def authority(self) -> CertificateAuthority:
        """Signs certificates that this cluster trusts."""
        return CertificateAuthority(self.layout.pki)

    @property
    def addresses(self) -> Mapping[str, IPv4Address]:
        """Every node's address by its name."""
        return {node.name: node.ip for node in self.nodes}

    @property
    def hypervisors(self) -> tuple[Node, ...]:
        """The nodes that are hypervisor hosts."""
        return tuple(node for node in self.nodes if node.config.libvirt is not None)

    def node(self, name: str) -> Node:
        """Return a node by its name."""
        for node in self.nodes:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.nodes)
        raise LabError(f"lab {self.id!r} has no node {name!r}; it has {known}")

    def import_images(self, archives: Iterable[Path]) -> Mapping[str, Sequence[str]]:
        """Import OCI archives into every node; return what each one lacked.

        An image that a node has under the same name and digest is skipped.
        """
        images = [ArchivedImage.read(archive) for archive in archives]
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            imported = pool.map(lambda n: n.images.import_missing(images), self.nodes)
            return {
                n.name: names for n, names in zip(self.nodes, imported, strict=True)
            }

    def prepare_images(self, images: Sequence[ArchivedImage]) -> Path:
        """Return the store that this lab's nodes begin with, made if need be."""
        maker = StoreMaker(self.supervisor, self.bin_folders[1], self.folder / "store")
        store = maker.ensure(images)
        archives = [str(image.archive) for image in images]
        (self.folder / "images.json").write_text(json.dumps(archives))
        return store

    def reinstall(self, name: str, *, keep_data: bool) -> None:
        """Bring a node up with an empty disk under its old name.

        Its Kubernetes Node object stays until the new kubelet takes it over,
        as when a machine is reinstalled behind the cluster's back. It has the
        images that the lab started with; import later ones again.
        """
        node = self.node(name)
        if node.running:
            node.kill()
        node.wipe(keep_data=keep_data)
        node.install(self.authority, self.addresses)
        archives = json.loads((self.folder / "images.json").read_text())
        images = [ArchivedImage.read(Path(archive)) for archive in archives]
        node.give_images(self.prepare_images(images))
        node.start()


def check_id(lab_id: str) -> None:
    """Make sure that devices, groups and folders can be named by the id."""
    if _ID_PATTERN.fullmatch(lab_id) is None:
        raise LabError(
            f"{lab_id!r} cannot name a lab: 1 to 11 lower-case letters, digits, dashes"
        )


def stop_lab(lab_id: str) -> None:
    """End a lab and remove every trace of it; also of one that was killed."""
    check_id(lab_id)
    labroot.stop(lab_id)
    shutil.rmtree(build_user_state_folder(lab_id), ignore_errors=True)
