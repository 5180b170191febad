"""Look into OCI archives: what a container of the image would see."""

import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


def read_config(archive: Path) -> dict[str, Any]:
    """Return the image's ``config``: Entrypoint, User, Env …"""
    with tarfile.open(archive) as tar:
        image = _json(tar, _manifest(tar)["config"]["digest"])
    config: dict[str, Any] = image["config"]
    return config


def read_layers(archive: Path) -> list[str]:
    """Return the digests of the image's layers, lowest first."""
    with tarfile.open(archive) as tar:
        return [layer["digest"] for layer in _manifest(tar)["layers"]]


def unpack(archive: Path, root: Path) -> None:
    """Lay the image's layers over each other in ``root``."""
    with tarfile.open(archive) as tar:
        for layer in _manifest(tar)["layers"]:
            blob = tar.extractfile(_path(layer["digest"]))
            assert blob is not None
            with tempfile.TemporaryFile() as plain:
                subprocess.run(
                    _decompressor(layer["mediaType"]),
                    input=blob.read(),
                    stdout=plain,
                    check=True,
                )
                plain.seek(0)
                with tarfile.open(fileobj=plain) as files:
                    _apply(files, root)


def _apply(files: tarfile.TarFile, root: Path) -> None:
    for entry in files:
        path = root / entry.name
        if path.name == _OPAQUE:
            for below in path.parent.iterdir():
                _remove(below)
        elif path.name.startswith(_WHITEOUT):
            _remove(path.with_name(path.name.removeprefix(_WHITEOUT)))
        else:
            if not entry.isdir():
                _remove(path)
            files.extract(entry, root, filter="fully_trusted")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _decompressor(media_type: str) -> list[str]:
    if media_type.endswith("+zstd"):
        return ["zstd", "-dc"]
    return ["gzip", "-dc"] if media_type.endswith("gzip") else ["cat"]


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    index = tar.extractfile("index.json")
    assert index is not None
    return _json(tar, json.load(index)["manifests"][0]["digest"])


def _json(tar: tarfile.TarFile, digest: str) -> dict[str, Any]:
    blob = tar.extractfile(_path(digest))
    assert blob is not None
    value: dict[str, Any] = json.load(blob)
    return value


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
