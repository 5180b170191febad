"""OCI image archives: read what one holds, write a simple one.

Format: OCI image layout (image-spec 1.1) as one tar file; the name that
containerd gives the image is an annotation in its index.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REFERENCE_ANNOTATIONS = (
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
)

_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class LayerFile:
    """One file of a layer."""

    path: str
    data: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """How a container of the image starts."""

    entrypoint: Sequence[str]
    user: str = ""
    environment: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


def read_digest(archive: Path) -> str:
    """Return the digest of the archive's one manifest (``sha256:…``).

    Raises:
        ValueError: it is no OCI archive of one image.
    """
    with tarfile.open(archive) as tar:
        member = (
            tar.extractfile("index.json") if "index.json" in tar.getnames() else None
        )
        if member is None:
            raise ValueError(f"{archive} has no index.json: no OCI archive")
        manifests = json.load(member)["manifests"]
    if len(manifests) != 1:
        raise ValueError(f"{archive} holds {len(manifests)} images instead of one")
    return str(manifests[0]["digest"])


def write_archive(
    path: Path,
    reference: str,
    *,
    layers: Sequence[Sequence[LayerFile]],
    config: ImageConfig,
) -> str:
    """Write an image of plain files; equal input gives equal bytes.

    Returns:
        The digest of its manifest.
    """
    blobs: dict[str, bytes] = {}

    def add(media_type: str, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {
            "mediaType": media_type,
            "digest": f"sha256:{digest}",
            "size": len(data),
        }

    tars = [_build_layer(files) for files in layers]
    image = add(_CONFIG_TYPE, _dump(_build_config(config, tars)))
    manifest = add(
        _MANIFEST_TYPE,
        _dump(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST_TYPE,
                "config": image,
                "layers": [add(_LAYER_TYPE, tar) for tar in tars],
            }
        ),
    )
    manifest["annotations"] = dict.fromkeys(REFERENCE_ANNOTATIONS, reference)
    index = {"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": [manifest]}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        _add_file(tar, LayerFile("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'))
        _add_file(tar, LayerFile("index.json", _dump(index)))
        for digest, data in sorted(blobs.items()):
            _add_file(tar, LayerFile(f"blobs/sha256/{digest}", data))
    return str(manifest["digest"])


def _build_config(config: ImageConfig, layers: Sequence[bytes]) -> dict[str, Any]:
    digests = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": list(config.entrypoint),
            "Env": ["PATH=/bin", *config.environment],
            "Labels": dict(config.labels),
            "User": config.user,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": digests},
    }


def _build_layer(files: Sequence[LayerFile]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in sorted(_folders(files)):
            entry = tarfile.TarInfo(folder)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o755
            tar.addfile(entry)
        for file in files:
            _add_file(tar, file)
    return buffer.getvalue()


def _folders(files: Sequence[LayerFile]) -> set[str]:
    parents = (str(p) for file in files for p in Path(file.path).parents)
    return {parent for parent in parents if parent != "."}


def _add_file(tar: tarfile.TarFile, file: LayerFile) -> None:
    # TarInfo's own owner, group and time are 0: nothing of this machine.
    entry = tarfile.TarInfo(file.path)
    entry.size = len(file.data)
    entry.mode = file.mode
    tar.addfile(entry, io.BytesIO(file.data))


def _dump(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
