"""Comparing versions."""

import pytest

from kilonova_agent.domain.versions import is_older


@pytest.mark.parametrize(
    ("version", "than", "older"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.1.1", True),
        ("0.9.0", "0.10.0", True),
        ("1.0.0", "0.10.0", False),
        ("0.2.0.dev1", "0.2.0", False),
        ("0.2.0+g12", "0.2.1", True),
    ],
)
def test_versions_are_compared_by_their_numbers(
    version: str, than: str, *, older: bool
) -> None:
    assert is_older(version, than) is older
