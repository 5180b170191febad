from pathlib import Path
from typing import Any

import pytest
import yaml

from kilonova_api.kube.config import load_in_cluster, load_kubeconfig
from support.clock import FakeClock


def _write_kubeconfig(path: Path, user: dict[str, Any]) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1/"}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


async def test_a_kubeconfigs_token_file_is_read_again_after_a_minute(
    tmp_path: Path,
) -> None:
    clock, token = FakeClock(), tmp_path / "token"
    token.write_text("first")
    path = _write_kubeconfig(tmp_path / "config", {"tokenFile": str(token)})
    connection = await load_kubeconfig(path, clock=clock)
    assert connection.server == "http://127.0.0.1:1"
    assert await connection.credentials.authorization() == "Bearer first"
    token.write_text("second")
    assert await connection.credentials.authorization() == "Bearer first"
    clock.shift_wall_clock(-86_400)
    await clock.advance(60)
    assert await connection.credentials.authorization() == "Bearer second"
    token.write_text("third")
    connection.credentials.reject()
    assert await connection.credentials.authorization() == "Bearer third"


async def test_a_kubeconfigs_plugin_is_asked_for_its_token(tmp_path: Path) -> None:
    credential = (
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
        ' "status": {"token": "from-a-plugin"}}'
    )
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "echo",
        "args": [credential],
        "interactiveMode": "Never",
    }
    path = _write_kubeconfig(tmp_path / "config", {"exec": plugin})
    connection = await load_kubeconfig(path, clock=FakeClock())
    assert await connection.credentials.authorization() == "Bearer from-a-plugin"


async def test_a_token_file_that_is_away_is_an_error_of_the_moment(
    tmp_path: Path,
) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    path = _write_kubeconfig(tmp_path / "config", {"tokenFile": str(token)})
    connection = await load_kubeconfig(path, clock=FakeClock())
    token.unlink()
    connection.credentials.reject()
    with pytest.raises(OSError, match="token"):
        await connection.credentials.authorization()


def test_outside_a_pod_the_error_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="Service host/port is not set"):
        load_in_cluster(clock=FakeClock(), folder=tmp_path, environ={})
