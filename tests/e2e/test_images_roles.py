"""The operator's and the agent's image: what is in, what is not."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova_lab.images import BuiltImage, Target, build_images
from support.image_container import ImageContainer
from support.oci import read_layers
from support.waiting import eventually

PYTHON = "/opt/kilonova/bin/python3"


@pytest.fixture(scope="module")
def images() -> dict[Target, BuiltImage]:
    """The images of this checkout."""
    return build_images(["operator", "agent"])


@pytest.fixture(scope="module")
def operator(images: dict[Target, BuiltImage]) -> Iterator[ImageContainer]:
    """The operator's image, unpacked."""
    with ImageContainer(images["operator"].archive) as container:
        yield container


@pytest.fixture(scope="module")
def agent(images: dict[Target, BuiltImage]) -> Iterator[ImageContainer]:
    """The agent's image, unpacked."""
    with ImageContainer(images["agent"].archive) as container:
        yield container


def modules_in(container: ImageContainer) -> set[str]:
    """Return the project's packages in an image."""
    places = container.root.glob("opt/kilonova/lib/python3.*/site-packages/kilonova_*")
    return {place.name for place in places if not place.name.endswith(".dist-info")}


def test_the_operator_needs_no_privilege(operator: ImageContainer) -> None:
    """It is user 65532, and all its libraries load as that user."""
    assert operator.config["User"] == "65532:65532"
    libraries = "kopf, sqlalchemy, pymysql, alembic, numpy, aiohttp, orjson, kubernetes"
    done = operator.run(PYTHON, "-c", f"import os, {libraries}; print(os.getuid())")
    assert done.strip() == "65532"


@pytest.mark.parametrize(
    ("role", "module"),
    [
        ("operator", "kilonova_operator.main"),
        ("operator", "kilonova_operator.manage"),
        ("agent", "kilonova_agent.main"),
    ],
)
def test_every_program_has_all_it_imports(
    role: str, module: str, request: pytest.FixtureRequest
) -> None:
    """What the role's wheel and locked dependencies leave out shows here."""
    container = request.getfixturevalue(role)
    code = f"import {module}; print(callable({module}.main))"
    assert container.run(PYTHON, "-c", code).strip() == "True"


def test_the_agent_talks_to_libvirt_and_makes_disks(agent: ImageContainer) -> None:
    """The binding loads against the image's library; qemu-img is there."""
    version = agent.run(PYTHON, "-c", "import libvirt; print(libvirt.getVersion())")
    assert int(version) >= 9_000_000
    commands = (
        "qemu-img create -q -f qcow2 /tmp/d 1G; qemu-img info --output json /tmp/d"
    )
    made = agent.run("sh", "-euc", commands)
    assert json.loads(made)["format"] == "qcow2"


@pytest.mark.parametrize("role", ["operator", "agent"])
def test_no_emulator_installer_or_compiler_is_inside(
    role: str, request: pytest.FixtureRequest
) -> None:
    """What is not there cannot be used against us."""
    root = request.getfixturevalue(role).root
    for name in ("qemu-system-x86_64", "libvirtd", "pip", "pip3", "gcc", "curl"):
        assert not (root / "usr/bin" / name).exists(), name
        assert not (root / "usr/sbin" / name).exists(), name
        assert not (root / "opt/kilonova/bin" / name).exists(), name


def test_an_image_holds_the_code_of_its_role_only(
    operator: ImageContainer, agent: ImageContainer
) -> None:
    """A change to the operator is then no new agent on every host."""
    assert modules_in(operator) == {"kilonova_api", "kilonova_operator"}
    assert modules_in(agent) == {"kilonova_api", "kilonova_agent"}


def test_nothing_of_the_building_machine_is_inside(agent: ImageContainer) -> None:
    """Neither its name nor its resolver nor the certificates it trusts."""
    for name in ("hostname", "resolv.conf", "hosts", "machine-id"):
        assert (agent.root / "etc" / name).read_text() == "", name
    bundle = agent.root / "etc/ssl/certs/ca-certificates.crt"
    debian = agent.root / "usr/share/ca-certificates"
    parts = sorted(path.read_text() for path in debian.rglob("*.crt"))
    assert bundle.read_text().count("BEGIN CERTIFICATE") == len(parts)


def test_bytecode_is_valid_so_that_starts_are_fast(operator: ImageContainer) -> None:
    """An image's files have other times than when they were compiled."""
    verbose = subprocess.run(
        ["chroot", operator.root, PYTHON, "-v", "-c", "import kopf, email.message"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    stale = [line for line in verbose.splitlines() if "bytecode is stale" in line]
    written = [line for line in verbose.splitlines() if line.startswith("# wrote")]
    assert stale == []
    assert written == []
    assert re.findall(r"# code object from '.*\.py'", verbose) == []


def test_roles_share_their_lower_layers(images: dict[Target, BuiltImage]) -> None:
    """Debian and Python are on every node once."""
    first, second = (read_layers(image.archive) for image in images.values())
    assert first[:3] == second[:3]


def test_only_the_top_layer_changes_with_the_code(
    images: dict[Target, BuiltImage], tmp_path: Path
) -> None:
    """An edit of the agent costs a small layer on every node."""
    checkout = copy_checkout(tmp_path)
    with (checkout / "node_agent/kilonova_agent/__init__.py").open("a") as module:
        module.write("\nEDITED = True\n")

    edited = build_images(["agent"], checkout=checkout)["agent"]

    before, after = read_layers(images["agent"].archive), read_layers(edited.archive)
    assert edited.reference != images["agent"].reference
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]


def test_equal_input_gives_an_equal_digest(
    images: dict[Target, BuiltImage], tmp_path: Path
) -> None:
    """A second build of the same code, in another place, is the same image."""
    image = images["agent"]
    image.archive.with_suffix(".json").unlink()
    again = build_images(["agent"], checkout=copy_checkout(tmp_path))["agent"]
    assert again == image


def test_a_killed_build_leaves_nothing_that_runs_or_is_in_the_way(
    tmp_path: Path,
) -> None:
    """SIGKILL in the middle; the next build works on the same storage."""
    checkout = copy_checkout(tmp_path)
    containerfile = checkout / "Containerfile"
    text = containerfile.read_text()
    containerfile.write_text(f"{text}\nRUN sleep 61.7\n")
    build = "import pathlib, sys; from kilonova_lab.images import build_images; "
    build += "build_images(['libvirt'], checkout=pathlib.Path(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", build, checkout], env=lab_path())
    eventually(lambda: is_running("sleep\00061.7"), "the build", timeout_seconds=300)

    process.kill()
    process.wait()

    eventually(lambda: not is_running("sleep\00061.7"), "the end of what it ran")
    assert "kilonova/buildah" not in Path("/proc/mounts").read_text()
    containerfile.write_text(f"{text}\nRUN sleep 0.7\n")
    assert build_images(["libvirt"], checkout=checkout)["libvirt"].archive.exists()


def is_running(words: str) -> bool:
    """Tell whether a process has this command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_text().rstrip("\0") == words:
                return True
    return False


def lab_path() -> dict[str, str]:
    """Return an environment in which another Python finds the lab."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "lab")}


def copy_checkout(folder: Path) -> Path:
    """Copy what images are made from."""
    checkout = Path(__file__).parents[2]
    parts = ("Containerfile", "images", "requirements", "crds", "node_agent")
    names = (*parts, "operator", "pyproject.toml", "README.md")
    there = [name for name in names if (checkout / name).exists()]
    subprocess.run(
        ["cp", "-a", *(checkout / name for name in there), folder], check=True
    )
    return folder
