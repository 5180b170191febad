"""A server of guest images inside the cluster: an image of 15 MB.

busybox's httpd answers range requests, so a broken download goes on where it
stopped, and needs no library, no configuration and no privilege. The disk
image is a layer of its own: a new guest leaves the rest in place.
"""

from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import yaml

from kilonova_lab.folders import build_cache_folder
from kilonova_lab.images.archive import (
    ImageConfig,
    LayerFile,
    read_digest,
    write_archive,
)
from kilonova_lab.images.build import KEPT_ARCHIVES, BuiltImage
from kilonova_lab.images.cache import Cache, keep_newest, unfinished
from kilonova_lab.images.guest import GuestImage, ensure_guest_image
from kilonova_lab.images.guest.build import BUSYBOX
from kilonova_lab.images.inputs import hash_files

NAMESPACE = "kilonova-images"
SERVICE = "images"
PORT = 8080
FOLDER = "srv"
GUEST_NAME = "tiny.qcow2"

MANIFEST = Path(__file__).resolve().parents[2] / "manifests" / "image-server.yaml"

_RECIPE = "1"
"""To be changed with the image's layout, since the key knows files only."""


def ensure_image_server(
    *, cache: Cache | None = None, progress: Callable[[str], None] = lambda _: None
) -> tuple[BuiltImage, GuestImage]:
    """Return the server's image, and the guest that it serves.

    Raises:
        LabError: the guest could not be built.
    """
    cache = cache or Cache(build_cache_folder())
    guest = ensure_guest_image(cache=cache, progress=progress)
    busybox = hash_files([BUSYBOX], relative_to=BUSYBOX.parent, more=(_RECIPE,))
    key = f"{guest.sha256[:6]}{busybox[:6]}"
    reference = f"localhost/kilonova-image-server:{key}"
    archive = cache.folder("images") / f"image-server-{key}.tar"
    if not archive.exists():
        with cache.locked("image-server"), unfinished(archive) as place:
            _write(place, reference, guest)
        keep_newest(list(archive.parent.glob("image-server-*.tar")), KEPT_ARCHIVES)
    image = BuiltImage("image-server", archive, reference, read_digest(archive))
    return image, guest


def build_objects(
    image: BuiltImage, *, namespace: str = NAMESPACE
) -> list[dict[str, Any]]:
    """Return the objects that run the server, its namespace among them.

    The guest is then at ``build_guest_url(namespace)`` for every pod.
    """
    template = Template(MANIFEST.read_text())
    text = template.substitute(
        image=image.reference, namespace=namespace, port=str(PORT)
    )
    return list(yaml.safe_load_all(text))


def build_guest_url(
    namespace: str = NAMESPACE, *, cluster_domain: str = "cluster.local"
) -> str:
    """Return where the guest image is to be had inside the cluster."""
    return f"http://{SERVICE}.{namespace}.svc.{cluster_domain}/{GUEST_NAME}"


def _write(place: Path, reference: str, guest: GuestImage) -> None:
    program = [LayerFile("bin/busybox", BUSYBOX.read_bytes(), mode=0o755)]
    disk = [LayerFile(f"{FOLDER}/{GUEST_NAME}", guest.image.read_bytes())]
    serve = ("httpd", "-f", "-v", "-p", str(PORT), "-h", f"/{FOLDER}")
    config = ImageConfig(entrypoint=("/bin/busybox", *serve), user="65532:65532")
    write_archive(place, reference, layers=[program, disk], config=config)
