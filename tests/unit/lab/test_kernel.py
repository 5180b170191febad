"""What labs change in the kernel is put back by the last of them, and only that."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from kilonova_lab.kernel import KUBELET_SETTINGS, Kernel

DISTRIBUTIONS_OWN = {"vm/overcommit_memory": "0", "kernel/panic": "0"}


@dataclass
class Machine:
    """A made-up /proc whose modprobe and rmmod do what the real ones do."""

    root: Path

    @property
    def kernel(self) -> Kernel:
        return Kernel(self.root, self.root / "proc", self.root / "net", self.run)

    def run(self, argv: Sequence[str]) -> None:
        names = [word for word in argv[1:] if not word.startswith("-")]
        if argv[0] == "/sbin/modprobe":
            self.load(*names)
        elif names[0] not in self.in_use:
            self.modules = [name for name in self.modules if name != names[0]]

    def load(self, *names: str) -> None:
        self.modules = [*dict.fromkeys([*self.modules, *names])]

    @property
    def modules(self) -> list[str]:
        return [line.split()[0] for line in self._modules.read_text().splitlines()]

    @modules.setter
    def modules(self, names: Sequence[str]) -> None:
        self._modules.write_text("".join(f"{name} 1 0 - Live 0\n" for name in names))

    @property
    def in_use(self) -> set[str]:
        return {path.name for path in (self.root / "in-use").iterdir()}

    @property
    def _modules(self) -> Path:
        return self.root / "proc" / "modules"

    def start_kubelet(self) -> None:
        for name, value in KUBELET_SETTINGS.items():
            self.set(name, value)

    def set(self, name: str, value: str) -> None:
        path = self.root / "proc" / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")

    def boot(self, number: int) -> None:
        self.set("kernel/random/boot_id", f"boot-{number}")
        for name, value in (KUBELET_SETTINGS | DISTRIBUTIONS_OWN).items():
            self.set(name, value)
        self.modules = ["ext4"]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(shutil, "which", lambda name: f"/sbin/{name}")
    for name in ("proc", "net", "in-use"):
        (tmp_path / name).mkdir()
    made = Machine(tmp_path)
    made.boot(1)
    return made


def test_the_last_lab_unloads_what_labs_loaded_and_sets_back_what_kubelet_set(
    machine: Machine,
) -> None:
    before = machine.kernel.read_settings()
    for lab in ("a", "b"):
        machine.kernel.enter(lab)
        machine.start_kubelet()
    machine.kernel.leave("a")
    assert machine.modules == ["ext4", "overlay", "br_netfilter"]
    assert machine.kernel.read_settings() == KUBELET_SETTINGS
    machine.kernel.leave("b")
    assert machine.modules == ["ext4"]
    assert machine.kernel.read_settings() == before
    assert not (machine.root / ".kernel.json").exists()


def test_what_was_loaded_before_stays(machine: Machine) -> None:
    machine.load("overlay")
    machine.kernel.enter("a")
    machine.kernel.leave("a")
    assert machine.modules == ["ext4", "overlay"]


def test_what_somebody_uses_by_now_stays_and_is_no_error(machine: Machine) -> None:
    machine.kernel.enter("a")
    (machine.root / "in-use" / "overlay").touch()
    (machine.root / "net" / "docker0" / "bridge").mkdir(parents=True)
    machine.kernel.leave("a")
    assert machine.modules == ["ext4", "overlay", "br_netfilter"]


def test_a_setting_that_somebody_changed_meanwhile_stays(machine: Machine) -> None:
    machine.kernel.enter("a")
    machine.start_kubelet()
    machine.set("kernel/panic", "60")
    machine.kernel.leave("a")
    assert machine.kernel.read_settings()["kernel/panic"] == "60"


def test_a_note_from_before_a_reboot_counts_for_nothing(machine: Machine) -> None:
    machine.kernel.enter("killed")
    machine.boot(2)
    machine.set("kernel/panic", "5")
    machine.kernel.enter("a")
    machine.start_kubelet()
    machine.kernel.leave("a")
    assert machine.modules == ["ext4"]
    assert machine.kernel.read_settings()["kernel/panic"] == "5"


def test_the_end_of_a_lab_that_never_was_changes_nothing(machine: Machine) -> None:
    machine.load("overlay")
    machine.kernel.leave("a")
    assert machine.modules == ["ext4", "overlay"]
