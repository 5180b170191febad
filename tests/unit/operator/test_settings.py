"""Settings are typed, checked, and hold no secret."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from kilonova_operator.settings import Settings


def test_by_default_one_process_takes_all_roles_super_first() -> None:
    assert Settings().wanted_roles == ("super", "cell/cell1")
    assert Settings().databases == ("api", "cell0", "cell1")
    assert Settings().databases_of("super") == ("api", "cell0")
    assert Settings().databases_of("cell/cell1") == ("cell1",)


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILONOVA_FORBIDDEN_RANGES", "10.96.0.0/16, 10.244.0.0/16")
    monkeypatch.setenv("KILONOVA_CELLS", "cell1,east")
    settings = Settings()
    assert [str(r) for r in settings.forbidden_ranges] == [
        "10.96.0.0/16",
        "10.244.0.0/16",
    ]
    assert settings.databases == ("api", "cell0", "cell1", "east")


def test_an_empty_list_is_no_list_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILONOVA_ROLES", "")
    assert Settings().wanted_roles == ("super", "cell/cell1")


def test_all_roles_may_be_named_in_an_order_of_ones_own() -> None:
    roles = ("cell/cell1", "super")
    assert Settings(roles=roles).wanted_roles == roles


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"default_cell": "cell9"}, "cell9"),
        ({"cells": ("cell0", "cell1")}, "cell0 never has hosts"),
        ({"roles": ("cell/cell9",)}, "cell/cell9 is no role here"),
        ({"roles": ("super",)}, "cell/cell1 is missing: one process takes all"),
        ({"roles": ("cell/cell1",)}, "super is missing: one process takes all"),
        ({"network_pool": "10.0.0.1/8"}, "network_pool"),
        ({"cpu_allocation_ratio": 0}, "greater than 0"),
        ({"ram_allocation_ratio": "nan"}, "finite number"),
        ({"disk_allocation_ratio": "inf"}, "finite number"),
        ({"host_down_seconds": "inf"}, "finite number"),
    ],
)
def test_what_cannot_work_is_refused_at_start(
    values: dict[str, object], text: str
) -> None:
    with pytest.raises(ValidationError, match=text):
        Settings.model_validate(values)


def test_urls_come_from_the_mounted_secret(tmp_path: Path) -> None:
    (tmp_path / "api").write_text("mysql://u:secret@db/api\n")
    settings = Settings(database_urls_dir=tmp_path)
    url = settings.database_url("api")
    assert url.get_secret_value() == "mysql://u:secret@db/api"
    assert "secret" not in repr(settings)
    with pytest.raises(FileNotFoundError, match="needs a key 'cell0'"):
        settings.database_url("cell0")
