"""Build with buildah, on a base made by debootstrap, without any registry.

Images and layers live in a storage of our own below the cache; Debian packages
come from the mirror, nothing else is fetched. Every buildah runs in a mount
namespace of its own, so that a killed build leaves no mount.
"""

import os
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kilonova_lab.errors import CommandFailed
from kilonova_lab.images.cache import Cache
from kilonova_lab.images.command import (
    as_root,
    ask_for_root,
    isolated,
    need_programs,
    run,
)
from kilonova_lab.images.debian import Debian
from kilonova_lab.images.errors import ImageBuildFailed
from kilonova_lab.images.inputs import hash_files, source_files
from kilonova_lab.images.order import BuildOrder

MIRROR_VARIABLE = "KILONOVA_DEBIAN_MIRROR"
_DEBIAN_ITSELF = ("Created-By: Packages", "Origin: Debian", "Label: Debian")
"""What apt's index targets are picked by: not the security archive, not others."""

BUILD_TIMEOUT_SECONDS = 1800.0
BOOTSTRAP_TIMEOUT_SECONDS = 1200.0
QUICK_TIMEOUT_SECONDS = 120.0
LOCK_TIMEOUT_SECONDS = 600

PROGRAMS = {"buildah": "buildah", "debootstrap": "debootstrap", "unshare": "util-linux"}


@dataclass(frozen=True)
class BuildahEngine:
    """Builds through ``buildah build``; call it under the cache's lock."""

    debian: Debian
    checkout: Path
    cache: Cache
    progress: Callable[[str], None]

    @cached_property
    def base(self) -> str:
        """Name of the base image; tells how it was made."""
        recipe = self.checkout / "images" / "base"
        suite = self.debian.suite
        key = hash_files(source_files(recipe), relative_to=recipe, more=(suite,))
        return f"localhost/kilonova-base:{key[:12]}"

    def build(self, order: BuildOrder, archive: Path) -> None:
        """Write the archive, from cached layers as far as they are the same."""
        need_programs(PROGRAMS)
        ask_for_root()
        self._start_afresh()
        self._ensure_base()
        settings = {"BASE": self.base, **order.arguments}
        arguments = [f"--build-arg={name}={value}" for name, value in settings.items()]
        self._build_image(
            ["--target", order.target, "--tag", order.reference, *arguments],
            context=order.context,
            log=order.log,
        )
        # zstd: half the time of gzip to write, a quarter to import on each node.
        self._buildah(
            *("push", "--quiet", "--compression-format", "zstd"),
            *("--compression-level", "3", order.reference),
            f"oci-archive:{archive}:{order.reference}",
            timeout_seconds=BUILD_TIMEOUT_SECONDS,
        )
        owner = f"{os.getuid()}:{os.getgid()}"
        run(as_root(["chown", owner, archive]), timeout_seconds=QUICK_TIMEOUT_SECONDS)

    def forget(self, reference: str) -> None:
        """Remove an image, and the layers that only it used."""
        known = self._buildah(
            *("images", "--quiet", "--filter", f"reference={reference}"),
            timeout_seconds=QUICK_TIMEOUT_SECONDS,
        )
        if known.strip():
            self._buildah("rmi", reference, timeout_seconds=QUICK_TIMEOUT_SECONDS)

    def _start_afresh(self) -> None:
        """Drop what a killed build left: its containers and its mount counts."""
        run(
            as_root([*self._lock, "rm", "-rf", self._storage / "run"]),
            timeout_seconds=BUILD_TIMEOUT_SECONDS,
        )
        self._buildah("rm", "--all", timeout_seconds=QUICK_TIMEOUT_SECONDS)

    def _ensure_base(self) -> None:
        have = self._buildah(
            *("images", "--format", "{{.Name}}:{{.Tag}}"),
            timeout_seconds=QUICK_TIMEOUT_SECONDS,
        )
        if self.base in have.split():
            return
        suite = self.debian.suite
        self.progress(f"base: debootstrap of Debian {suite} (about a minute)")
        place = self.cache.folder("base")
        root, tarball = place / "root", place / "base.tar"
        mirror = find_mirror()
        recipe = self.checkout / "images" / "base"
        self._remove_tree(root)
        try:
            run(
                isolated(["sh", recipe / "bootstrap", suite, mirror, root, tarball]),
                timeout_seconds=BOOTSTRAP_TIMEOUT_SECONDS,
                log=self.cache.folder("logs") / "base.log",
            )
            shutil.copy(recipe / "Containerfile", place / "Containerfile")
            log = self.cache.folder("logs") / "base-import.log"
            self._build_image(["--tag", self.base], context=place, log=log)
        finally:
            self._remove_tree(root)
            self._remove_tree(tarball)

    def _build_image(self, options: list[str], *, context: Path, log: Path) -> None:
        # The fixed time makes equal input an equal digest.
        run(
            isolated(
                [
                    *(*self._lock, *self._command),
                    *("build", "--isolation", "chroot", "--layers"),
                    *("--timestamp", "0", "--pull-never", *build_limits(), *options),
                    *("--file", context / "Containerfile", context),
                ]
            ),
            timeout_seconds=BUILD_TIMEOUT_SECONDS,
            log=log,
        )

    @cached_property
    def _storage(self) -> Path:
        return self.cache.folder("buildah")

    @cached_property
    def _driver(self) -> str:
        """The native overlay, unless the cache's own file system forbids it."""
        try:
            run(
                isolated(["buildah", *self._options("overlay"), "info"]),
                timeout_seconds=QUICK_TIMEOUT_SECONDS,
            )
        except CommandFailed:
            return "vfs"
        return "overlay"

    def _options(self, driver: str) -> list[str]:
        return [
            *("--root", str(self._storage / driver)),
            *("--runroot", str(self._storage / "run")),
            *("--storage-driver", driver),
        ]

    @property
    def _lock(self) -> list[str]:
        """Hold the storage: below sudo, a buildah may outlive a killed build."""
        wait = ("--wait", str(LOCK_TIMEOUT_SECONDS))
        return ["flock", *wait, str(self._storage / "lock")]

    @property
    def _command(self) -> list[str]:
        return ["buildah", *self._options(self._driver)]

    def _buildah(self, *arguments: str | Path, timeout_seconds: float) -> str:
        return run(
            isolated([*self._lock, *self._command, *arguments]),
            timeout_seconds=timeout_seconds,
        )

    def _remove_tree(self, path: Path) -> None:
        run(as_root(["rm", "-rf", path]), timeout_seconds=QUICK_TIMEOUT_SECONDS)


def build_limits() -> list[str]:
    """Return the options that leave limits as they are here.

    Newer buildahs raise some, which not even root may do everywhere.
    """
    limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    return [
        "--ulimit={}={}:{}".format(name, *resource.getrlimit(number))
        for name, number in limits.items()
    ]


def find_mirror() -> str:
    """Return the Debian mirror to take packages from: named, or the machine's own.

    Raises:
        ImageBuildFailed: there is none, or it is not plain HTTP. The base has no
            certificates yet, and what protects Debian's packages are signatures.
    """
    mirror = (os.environ.get(MIRROR_VARIABLE) or _read_own_mirror()).rstrip("/")
    if not mirror:
        raise ImageBuildFailed(
            "this machine's apt knows no Debian mirror: run `apt-get update`, or name "
            f"one: {MIRROR_VARIABLE}=http://…"
        )
    if not mirror.startswith("http://"):
        raise ImageBuildFailed(
            f"{MIRROR_VARIABLE}={mirror} is no http:// address; apt checks signatures, "
            "so name the mirror's plain address"
        )
    return mirror


def _read_own_mirror() -> str:
    targets = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", *_DEBIAN_ITSELF],
        timeout_seconds=QUICK_TIMEOUT_SECONDS,
    )
    mirrors = targets.split()
    return mirrors[0] if mirrors else ""
