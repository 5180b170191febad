"""Fixtures of the command line's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.kube_front import KubeFront, kube_front
from support.nova_cli import Nova


@pytest.fixture
def front() -> Iterator[KubeFront]:
    with kube_front() as served:
        yield served


@pytest.fixture
def nova(
    front: KubeFront,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Nova:
    kubeconfig = front.write_kubeconfig(tmp_path / "config")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr("kilonova_cli.leader._PAUSE_SECONDS", 0.0)
    return Nova(front, kubeconfig, capsys)
