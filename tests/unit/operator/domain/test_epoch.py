"""What the Lease remembers of a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova_operator.domain.epoch import NotedTick


@given(st.uuids().map(str), st.integers(0, 2**62), st.integers(0, 2**62))
def test_a_note_is_read_back_as_it_was(database_id: str, term: int, tick: int) -> None:
    noted = NotedTick(database_id, term, tick)
    assert NotedTick.of_annotation(noted.to_annotation()) == noted


@pytest.mark.parametrize("value", [None, "", "x", "a/b/c", "a/1", "a/1/2/3", "a/1/-2"])
def test_what_cannot_be_read_counts_as_nothing_noted(value: str | None) -> None:
    assert NotedTick.of_annotation(value) is None
