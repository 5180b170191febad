"""``kubectl nova`` on recorded objects, through the official client."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kilonova_api.kube.resources import LEASE
from kilonova_cli.main import run
from support.kube_front import KubeFront

STAGES = [
    {"constraint": "HostEnabled", "hostsRemoved": 1, "hostsLeft": 3, "message": ""},
    {
        "constraint": "Capacity:MEMORY_MB",
        "hostsRemoved": 2,
        "hostsLeft": 1,
        "message": "512 MiB of memory",
    },
]
RECORD: dict[str, Any] = {
    "hostsConsidered": 4,
    "hostsLeft": 1,
    "stages": STAGES,
    "attempts": 1,
}


def put_lease(front: KubeFront, holder: str = "operator-7_ab12cd34") -> None:
    """Let a pod lead."""
    meta = {"namespace": "kilonova-system", "name": "kilonova-super"}
    front.put(LEASE, {"metadata": meta, "spec": {"holderIdentity": holder}})


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The words of each printed line."""
        return [line.split() for line in self.out.splitlines()]


class Nova:
    """Runs command lines against the recorded cluster."""

    def __init__(
        self, front: KubeFront, kubeconfig: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.front = front
        self.kubeconfig = kubeconfig
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        code = run(arguments)
        said = self._capsys.readouterr()
        return Ended(code, said.out, said.err)

    def refuse(self, *arguments: str) -> tuple[int, str]:
        """Run what must fail with one line."""
        ended = self(*arguments)
        assert ended.out == ""
        assert ended.err.startswith("error: "), ended.err
        assert len(ended.err.splitlines()) == 1, ended.err
        return ended.code, ended.err.strip()
