"""Settings from the environment."""

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from kilonova_agent.main import EXIT_BAD_SETTINGS, main
from kilonova_agent.settings import AgentSettings


def test_ranges_come_as_a_comma_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILONOVA_NODE_NAME", "hv1")
    monkeypatch.setenv("KILONOVA_FORBIDDEN_RANGES", "10.96.0.0/16, fd00::/8,")
    monkeypatch.setenv("KILONOVA_IMAGES_ALLOWED_RANGES", "")

    settings = AgentSettings()

    assert settings.forbidden_ranges == (
        ip_network("10.96.0.0/16"),
        ip_network("fd00::/8"),
    )
    assert settings.images_allowed_ranges == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KILONOVA_FORBIDDEN_RANGES", "10.96.0.1/16"),
        ("KILONOVA_VIRT_TYPE", "xen"),
        ("KILONOVA_RECLAIM_AFTER_SECONDS", "-1"),
        ("KILONOVA_NODE_NAME", ""),
    ],
)
def test_nonsense_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("KILONOVA_NODE_NAME", "hv1")
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        AgentSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KILONOVA_RECLAIM_AFTR_SECONDS", "1"),
        ("KILONOVA_RECLAIM_AFTER_SECONDS", "soon"),
    ],
)
def test_an_agent_says_what_is_wrong_in_a_line_and_ends(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv("KILONOVA_NODE_NAME", "hv1")
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EXIT_BAD_SETTINGS
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("text", "monitors"),
    [("", ()), ("cpu.virt_driver", ("cpu.virt_driver",)), (" , ", ())],
)
def test_monitors_are_a_comma_list(
    monkeypatch: pytest.MonkeyPatch, text: str, monitors: tuple[str, ...]
) -> None:
    monkeypatch.setenv("KILONOVA_NODE_NAME", "hv1")
    monkeypatch.setenv("KILONOVA_COMPUTE_MONITORS", text)
    assert AgentSettings().compute_monitors == monitors


def test_an_unknown_monitor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILONOVA_NODE_NAME", "hv1")
    monkeypatch.setenv("KILONOVA_COMPUTE_MONITORS", "cpu.other")
    with pytest.raises(ValidationError):
        AgentSettings()
