"""The two images the lab makes itself: the pods' pause program and CoreDNS."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kilonova_lab.errors import CommandFailed
from kilonova_lab.folders import SOURCES, build_cache_folder
from kilonova_lab.images.archive import ImageConfig, LayerFile, write_archive
from kilonova_lab.nodefiles import PAUSE_IMAGE
from kilonova_lab.programs import COREDNS

DNS_IMAGE = f"localhost/kilonova-lab/coredns:{COREDNS.get_version()}"

_PAUSE_SOURCE = SOURCES.parent / "pause" / "pause.c"


def ensure_system_images(coredns_folder: Path) -> list[Path]:
    """Return the archives of the lab's own images, made once.

    Args:
        coredns_folder: the cache entry that holds the built CoreDNS; its name
            carries the version and is the image archive's key too.
    """
    folder = build_cache_folder() / "lab-images"
    folder.mkdir(parents=True, exist_ok=True)
    dns = folder / f"{coredns_folder.name}.tar"
    if not dns.exists():
        binary = (coredns_folder / "coredns").read_bytes()
        _write(dns, DNS_IMAGE, program=LayerFile("coredns", binary, mode=0o755))
    pause = folder / "pause-1.tar"
    if not pause.exists():
        _write(pause, PAUSE_IMAGE, program=LayerFile("pause", _compile(), mode=0o755))
    return [pause, dns]


def _write(path: Path, reference: str, *, program: LayerFile) -> None:
    partial = path.with_suffix(".partial")
    config = ImageConfig(entrypoint=[f"/{program.path}"])
    write_archive(partial, reference, layers=[[program]], config=config)
    partial.rename(path)


def _compile() -> bytes:
    target = build_cache_folder() / "lab-images" / "pause"
    argv = ["gcc", "-static", "-Os", "-s", "-o", str(target), str(_PAUSE_SOURCE)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stderr)
    binary = target.read_bytes()
    target.unlink()
    return binary
