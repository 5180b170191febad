"""Meant deviations are told to people."""

from pathlib import Path

import pytest

from kilonova_operator.domain.scheduling.numa.deviations import NumaDeviation
from parity import domains_topic, extra_specs_topic

_PAGE = Path(__file__).parents[3] / "docs" / "parity.md"


@pytest.mark.parametrize(
    "name",
    [
        *NumaDeviation,
        extra_specs_topic.UNKNOWN_NAMESPACE,
        extra_specs_topic.READ_BUT_UNLISTED,
        domains_topic.EMULATOR_OFF_REALTIME,
        domains_topic.REALTIME_WITHOUT_SHARED,
    ],
)
def test_every_meant_deviation_is_in_the_docs_by_its_name(name: str) -> None:
    assert f"`{name}`" in _PAGE.read_text()
