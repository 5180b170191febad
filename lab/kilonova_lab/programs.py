"""The lab's programs: built from Go modules once, then taken from the cache.

A cache entry is a folder named by module, version and a digest of everything
that decides its content. It is built beside its final name and renamed when
whole, so a build that was interrupted never looks finished.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kilonova_lab.errors import (
    BuildFailed,
    GoTooOld,
    NotEnoughSpace,
    ProgramsMissing,
    build_tail,
)
from kilonova_lab.folders import SOURCES, build_cache_folder

COLD_BUILD_GIB = 20.0
"""Module and build cache of a cold build, measured 7 GiB, with room to spare."""

OLDEST_GO = (1, 21)
"""The first Go that fetches the toolchain a module asks for."""

_GO_VERSION_SECONDS = 60
_GIB = 1 << 30
_KUBERNETES_VERSION = "k8s.io/component-base/version"
_HELM_MODULE = "helm.sh/helm/v4"
_HELM_VERSION = f"{_HELM_MODULE}/internal/version"


@dataclass(frozen=True, slots=True)
class GoModule:
    """One Go module under ``lab/go`` and the binaries that come out of it."""

    name: str
    versioned_by: str
    binaries: dict[str, str]
    links: tuple[str, ...] = ()
    stamps_version: bool = False

    @property
    def folder(self) -> Path:
        """The module's sources."""
        return SOURCES / self.name

    def get_version(self, module: str = "") -> str:
        """Return the pinned version of a module, by default the naming one."""
        module = module or self.versioned_by
        text = (self.folder / "go.mod").read_text()
        line = rf"^\s*(?:require )?{re.escape(module)} (v\S+)"
        found = re.search(line, text, re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.folder}/go.mod does not require {module}")
        return found.group(1)

    def build_key(self) -> str:
        """Return the cache entry's name: module, version, digest of the inputs."""
        digest = hashlib.sha256(
            repr((self.binaries, self.links, self.build_flags())).encode()
        )
        for source in sorted(self.folder.glob("*")):
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return f"{self.name}-{self.get_version()}-{digest.hexdigest()[:12]}"

    def build_flags(self) -> list[str]:
        """Return the linker flags."""
        flags = ["-s", "-w"]
        flags += [f"-X {name}={value}" for name, value in self._build_stamps().items()]
        return flags

    def _build_stamps(self) -> dict[str, str]:
        """Return the versions that kubelet and helm tell: v0.0.0 without these."""
        if not self.stamps_version:
            return {}
        version = self.get_version()
        major, minor, _ = version.removeprefix("v").split(".", 2)
        return {
            f"{_KUBERNETES_VERSION}.gitVersion": version,
            f"{_KUBERNETES_VERSION}.gitMajor": major,
            f"{_KUBERNETES_VERSION}.gitMinor": minor,
            f"{_HELM_VERSION}.version": self.get_version(_HELM_MODULE),
        }


KUBE = GoModule(
    name="kube",
    versioned_by="k8s.io/kubernetes",
    binaries={"kube": "."},
    links=(
        "etcd",
        "helm",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubectl",
        "kubelet",
    ),
    stamps_version=True,
)
_CONTAINERD_COMMANDS = "github.com/containerd/containerd/v2/cmd"
CONTAINERD = GoModule(
    name="containerd",
    versioned_by="github.com/containerd/containerd/v2",
    binaries={
        name: f"{_CONTAINERD_COMMANDS}/{name}"
        for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    },
)
COREDNS = GoModule(
    name="coredns", versioned_by="github.com/coredns/coredns", binaries={"coredns": "."}
)


@dataclass(frozen=True, slots=True)
class ProgramCache:
    """Builds modules into a folder of the user, each once."""

    folder: Path = field(default_factory=lambda: build_cache_folder() / "programs")
    report: Callable[[str], None] = print

    def find(self, module: GoModule) -> Path | None:
        """Return the folder with the module's binaries if it is built."""
        entry = self.folder / module.build_key()
        return entry if entry.is_dir() else None

    def ensure(self, *modules: GoModule) -> dict[str, Path]:
        """Return each module's folder of binaries, building what is missing.

        Raises:
            ProgramsMissing: there is no ``go`` on this machine.
            GoTooOld: there is one from before automatic toolchains.
            NotEnoughSpace: a cold build would fill the disk.
            BuildFailed: the compiler refused.
        """
        if all(self.find(module) for module in modules):
            return {module.name: self.folder / module.build_key() for module in modules}
        with self._lock():
            missing = [module for module in modules if self.find(module) is None]
            if missing:
                self._build_all(missing)
        return {module.name: self.folder / module.build_key() for module in modules}

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _build_all(self, modules: list[GoModule]) -> None:
        _need_go()
        free_gib = shutil.disk_usage(self.folder).free / _GIB
        if free_gib < COLD_BUILD_GIB:
            raise NotEnoughSpace(
                self.folder, needed_gib=COLD_BUILD_GIB, free_gib=free_gib
            )
        scratch = self.folder / ".build"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            for module in modules:
                self._build(module, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _build(self, module: GoModule, scratch: Path) -> None:
        entry = self.folder / module.build_key()
        partial = scratch / entry.name
        partial.mkdir(parents=True)
        log = self.folder / f"{module.name}-build.log"
        log.unlink(missing_ok=True)
        for binary, package in module.binaries.items():
            self.report(f"building {binary} {module.get_version()} (once; {log})")
            argv = [
                "go",
                "build",
                "-trimpath",
                "-ldflags",
                " ".join(module.build_flags()),
            ]
            with log.open("ab") as output:
                done = subprocess.run(
                    [*argv, "-o", str(partial / binary), package],
                    cwd=module.folder,
                    env=_build_environment(scratch),
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            if done.returncode != 0:
                raise BuildFailed(module.name, log, build_tail(log))
        for link in module.links:
            (partial / link).symlink_to(next(iter(module.binaries)))
        if not entry.exists():
            partial.rename(entry)


def _need_go() -> None:
    if shutil.which("go") is None:
        raise ProgramsMissing(["go"], ["golang-go"])
    # Of the machine's own Go: inside a module it would fetch that one's first.
    told = subprocess.run(
        ["go", "version"],
        cwd="/",
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        timeout=_GO_VERSION_SECONDS,
        check=True,
    ).stdout
    found = re.search(r"go(\d+)\.(\d+)", told)
    if found is not None and tuple(map(int, found.groups())) < OLDEST_GO:
        raise GoTooOld(found[0], "go{}.{}".format(*OLDEST_GO))


def _build_environment(scratch: Path) -> dict[str, str]:
    """Keep the build out of the user's own Go caches, and removable."""
    own = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(scratch / "cache"),
        "GOMODCACHE": str(scratch / "modules"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        "GOWORK": "off",
    }
    return {"GOTOOLCHAIN": "auto", **os.environ, **own}
