"""containerd's store with a set of images, made once and linked into every node.

Importing into three nodes means unpacking every image three times, and again at
each start. Instead a containerd of its own unpacks the set into a folder beside
the labs, and a node's store starts as a tree of hard links to it. containerd
replaces files there and never writes into one, but for its databases, which
are copied.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.folders import STATE_ROOT
from kilonova_lab.imagestore import ArchivedImage, ImageStore, is_listening
from kilonova_lab.supervised import Program, SupervisorClient

STORES = STATE_ROOT / "stores"
KEPT_STORES = 3
"""The newest ones; the others' images were built from sources that changed."""


@dataclass(frozen=True, slots=True)
class StoreMaker:
    """Makes stores with the help of a lab, in which it runs a containerd."""

    supervisor: SupervisorClient
    containerd: Path
    scratch: Path
    stores: Path = STORES

    def get_path(self, images: Sequence[ArchivedImage]) -> Path:
        """Return where the store of exactly these images is, made or not."""
        digest = hashlib.sha256(self.containerd.name.encode())
        for image in sorted(images, key=lambda image: image.name):
            digest.update(f"{image.name} {image.digest}\n".encode())
        return self.stores / digest.hexdigest()[:16]

    def ensure(self, images: Sequence[ArchivedImage]) -> Path:
        """Return a store with these images, made if need be.

        Two labs that start at once may both make it; the first one's stays.
        """
        store = self.get_path(images)
        if store.exists():
            self.supervisor.check(["touch", str(store)])
            return store
        partial = self.scratch / "root"
        self._fill(partial, images)
        script = "\n".join(
            [
                "set -eu",
                f"mkdir -p {self.stores}",
                f"mv -T {partial} {store} 2>/dev/null || [ -d {store} ]",
                f"rm -rf {self.scratch}",
                f"cd {self.stores}",
                f"ls -t | tail -n +{KEPT_STORES + 1} | xargs -r rm -rf",
            ]
        )
        self.supervisor.check(["sh", "-c", script], timeout_seconds=120)
        return store

    def _fill(self, root: Path, images: Sequence[ArchivedImage]) -> None:
        self.scratch.mkdir()
        config = self.scratch / "config.toml"
        state, log = self.scratch / "state", self.scratch / "containerd.log"
        ctr, socket_path = self.containerd / "ctr", self.scratch / "containerd.sock"
        images_in = ImageStore(ctr, socket_path)
        config.write_text(_build_config(root, state, socket_path))
        program = Program(
            self.supervisor,
            "containerd-store",
            (str(self.containerd / "containerd"), "-c", str(config)),
            log,
            is_ready=lambda: is_listening(socket_path),
        )
        program.start()
        try:
            program.wait_until_ready()
            images_in.import_missing(images)
        finally:
            program.stop()


def build_link_script(store: Path, target: Path) -> str:
    """Return what gives a node that has no store yet the prepared one."""
    copy = "cp --remove-destination {} {}.copy && mv {}.copy {}"
    return f"""set -eu
[ ! -e {target} ] || exit 0
mkdir -p {target.parent}
cp -al {store} {target}
find {target} -name '*.db' | xargs -I{{}} sh -c '{copy}'"""


def _build_config(root: Path, state: Path, socket: Path) -> str:
    """Return the configuration of a containerd that only unpacks."""
    return f"""version = 3
root = "{root}"
state = "{state}"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
  "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]
[grpc]
  address = "{socket}"
  uid = {os.getuid()}
"""
