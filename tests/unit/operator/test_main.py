"""kilonova-operator where there is no cluster."""

import asyncio

import pytest

from kilonova_operator.domain.scheduling.defaults import build_default_scheduling
from kilonova_operator.main import EXIT_BAD_SETTINGS, EXIT_FAILED, _run, main
from kilonova_operator.settings import Settings


def test_help_names_every_setting_and_needs_no_cluster(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"KILONOVA_{name.upper()} " in said


def test_an_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--kubeconfig", "x"])
    assert ended.value.code == 2
    assert "--kubeconfig" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KILONOVA_CELS", "cell1"),
        ("KILONOVA_LEASE_SECONDS", "0"),
        ("KILONOVA_SCHEDULING", "{"),
        ("KILONOVA_SCHEDULING", "[]"),
        ("KILONOVA_SCHEDULING", '{"ram_weight": 1}'),
        ("KILONOVA_SCHEDULING", '{"enabled_filters": ["RamFilter"]}'),
    ],
)
def test_wrong_settings_are_said_in_a_line_each(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == EXIT_BAD_SETTINGS
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: ")


def test_outside_a_cluster_it_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert asyncio.run(_run(Settings(), build_default_scheduling())) == EXIT_FAILED
    assert "KILONOVA_KUBECONFIG" in caplog.text
