"""A user with sudo brings a lab up: root gets what only root can do, no more."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova_lab.cluster import stop_lab
from kilonova_lab.folders import build_cache_folder
from kilonova_lab.programs import CONTAINERD, COREDNS, KUBE, ProgramCache
from support.cluster import build_lab_id
from support.machine_state import find_lab_processes
from support.plain_user import PlainUser, plain_user

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def user() -> Iterator[PlainUser]:
    """A user whose programs are built already."""
    ProgramCache().ensure(KUBE, CONTAINERD, COREDNS)
    with plain_user() as made:
        cache = Path(".cache") / "kilonova"
        made.run(["mkdir", "-p", str(cache)], cwd=made.home)
        built = build_cache_folder() / "programs"
        made.run(["ln", "-s", str(built), str(cache / "programs")], cwd=made.home)
        yield made


@pytest.fixture
def lab_id() -> Iterator[str]:
    made = build_lab_id("user")
    yield made
    stop_lab(made)


def test_what_a_user_brings_up_is_the_users_and_goes_by_the_users_word(
    user: PlainUser, lab_id: str
) -> None:
    lab = [sys.executable, "-m", "kilonova_lab"]
    user.run([*lab, "up", "--id", lab_id], cwd=REPOSITORY)

    state = user.home / ".local" / "state" / "kilonova" / lab_id
    kubeconfig = state / "kubeconfig"
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    kubectl = user.home / ".cache/kilonova/programs" / KUBE.build_key() / "kubectl"
    ask = [str(kubectl), f"--kubeconfig={kubeconfig}", "get", "nodes", "-o", "name"]
    assert user.run(ask, cwd=user.home).split() == ["node/cp", "node/hv1", "node/hv2"]
    assert (user.home / ".cache/kilonova/lab-images").is_dir()
    assert user.find_foreign_files() == []

    user.run([*lab, "down", "--id", lab_id], cwd=REPOSITORY)

    assert not state.exists()
    assert not find_lab_processes(lab_id)
    asked = [[word for word in call if "=" not in word] for call in user.sudo_calls]
    machine = ["env", sys.executable, "-m", "kilonova_lab.machine"]
    assert asked == [[*machine, "start"], [*machine, "stop"]]
