"""The image server: a real httpd in its own image, asked as the agent asks."""

import hashlib
import subprocess
from collections.abc import Iterator

import pytest

from kilonova_lab.images.guest import GuestImage
from kilonova_lab.images.server import PORT, build_objects, ensure_image_server
from support.image_container import ImageContainer

URL = f"http://127.0.0.1:{PORT}/tiny.qcow2"


@pytest.fixture(scope="module")
def guest() -> GuestImage:
    """The guest that is served."""
    return ensure_image_server()[1]


@pytest.fixture(scope="module")
def server() -> Iterator[ImageContainer]:
    """The server's image, running as its own user would have it."""
    image, _ = ensure_image_server()
    with ImageContainer(image.archive) as container:
        container.start()
        container.await_condition(lambda: get(container, "-r", "0-0") != b"", "httpd")
        yield container


def get(server: ImageContainer, *options: str) -> bytes:
    """Ask the server from inside of its network; nothing if it does not answer."""
    enter = ("nsenter", "-t", str(server.init_pid), "--net", "--")
    done = subprocess.run(
        [*enter, "curl", "-s", "--max-time", "20", *options, URL],
        capture_output=True,
        check=False,
    )
    return done.stdout


def test_the_whole_image_arrives(server: ImageContainer, guest: GuestImage) -> None:
    """What is served is what was built."""
    assert hashlib.sha256(get(server)).hexdigest() == guest.sha256


def test_a_broken_download_goes_on_where_it_stopped(
    server: ImageContainer, guest: GuestImage
) -> None:
    """The answer is partial content with its place, and fits."""
    stopped = 1_000_003
    head = get(server, "-r", f"{stopped}-", "-D", "-", "-o", "/dev/null").decode()
    size = guest.image.stat().st_size
    assert " 206 " in head.splitlines()[0]
    assert f"Content-Range: bytes {stopped}-{size - 1}/{size}" in head
    rest = get(server, "-r", f"{stopped}-")
    assert guest.image.read_bytes()[:stopped] + rest == guest.image.read_bytes()


def test_the_server_needs_no_privilege(server: ImageContainer) -> None:
    """It is told to be 65532, and its manifest meets the restricted profile."""
    assert server.config["User"] == "65532:65532"
    image, _ = ensure_image_server()
    namespace, deployment, service = build_objects(image, namespace="demo")
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["image"] == image.reference
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    enforced = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert enforced == "restricted"
    assert service["metadata"]["namespace"] == namespace["metadata"]["name"]
