"""Sets of processors as text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova_api.cpu_set import (
    CPU_SET_PATTERN,
    BadCpuSet,
    format_cpu_set,
    parse_cpu_set,
)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0", {0}),
        ("4-7,^6", {4, 5, 7}),
        ("^6,4-7", {4, 5, 7}),
        ("0-2,1-3", {0, 1, 2, 3}),
        ("8-11,^8-9,20", {10, 11, 20}),
        ("^3", set()),
        ("", set()),
    ],
)
def test_numbers_ranges_and_what_is_taken_out(text: str, cpus: set[int]) -> None:
    assert parse_cpu_set(text) == cpus


@pytest.mark.parametrize("text", [" ", "a", "1,,2", "1-", "-1", "3-1", "1-2-3"])
def test_what_is_no_set_is_said(text: str) -> None:
    with pytest.raises(BadCpuSet, match="is no set of processors"):
        parse_cpu_set(text)


@given(st.frozensets(st.integers(0, 300), min_size=1))
def test_a_set_survives_its_text(cpus: frozenset[int]) -> None:
    text = format_cpu_set(cpus)
    assert re.fullmatch(CPU_SET_PATTERN, text)
    assert parse_cpu_set(text) == cpus


def test_no_processors_are_no_text() -> None:
    assert format_cpu_set(frozenset()) == ""
