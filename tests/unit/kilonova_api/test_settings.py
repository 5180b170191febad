"""What the environment says is believed, or refused in words."""

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from kilonova_api.settings import BadSettings, list_variables, read_settings


class Sample(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="KILONOVA_", extra="ignore")

    node_name: str
    reclaim_after_seconds: float = Field(default=1.0, ge=0)


@pytest.fixture(autouse=True)
def node_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILONOVA_NODE_NAME", "hv1")


def refusal() -> list[str]:
    with pytest.raises(BadSettings) as refused:
        read_settings(Sample)
    return str(refused.value).splitlines()


def test_what_is_known_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILONOVA_RECLAIM_AFTER_SECONDS", "7")
    monkeypatch.setenv("SOMETHING_ELSE", "x")
    assert read_settings(Sample).reclaim_after_seconds == 7
    assert list_variables(Sample) == (
        "KILONOVA_NODE_NAME",
        "KILONOVA_RECLAIM_AFTER_SECONDS",
    )


def test_a_typing_error_is_refused_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KILONOVA_RECLAIM_AFTR_SECONDS", "7")
    (line,) = refusal()
    name, text = line.split(": ", 1)
    assert name == "KILONOVA_RECLAIM_AFTR_SECONDS"
    assert text.endswith("did you mean KILONOVA_RECLAIM_AFTER_SECONDS?")


def test_a_setting_of_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KILONOVA_QQ", "7")
    assert refusal() == ["KILONOVA_QQ: there is no such setting; take it away"]


def test_all_that_is_wrong_is_said_at_once_and_no_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KILONOVA_NODE_NAME")
    monkeypatch.setenv("KILONOVA_RECLAIM_AFTER_SECONDS", "hunter2")
    monkeypatch.setenv("KILONOVA_NODE_NAMES", "hv1")
    said = refusal()
    assert [line.split(":")[0] for line in said] == [
        "KILONOVA_NODE_NAMES",
        "KILONOVA_NODE_NAME",
        "KILONOVA_RECLAIM_AFTER_SECONDS",
    ]
    assert "hunter2" not in "".join(said)
