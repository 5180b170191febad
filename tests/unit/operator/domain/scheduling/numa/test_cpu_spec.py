"""Sets of CPUs as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_operator.domain.scheduling.numa.cpu_mask import cpus_of, mask_of
from kilonova_operator.domain.scheduling.numa.cpu_spec import (
    format_cpu_spec,
    parse_cpu_mask,
    parse_cpu_spec,
)


@pytest.mark.parametrize(
    ("spec", "cpus"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("3", [3], id="one"),
        pytest.param("0-3,8", [0, 1, 2, 3, 8], id="a range"),
        pytest.param("^2,0-3", [0, 1, 3], id="left out before it is named"),
        pytest.param("0-7,^2-5", [0, 1, 6, 7], id="a range left out"),
        pytest.param(" 1 , ,4 - 5", [1, 4, 5], id="room between"),
    ],
)
def test_a_spec_names_cpus_and_ranges(spec: str, cpus: list[int]) -> None:
    assert list(cpus_of(parse_cpu_spec(spec))) == cpus


@pytest.mark.parametrize("spec", ["1-", "two", "-1", "5-3", "1 2", "0-9999999999"])
def test_what_is_no_set_of_cpus_is_told(spec: str) -> None:
    with pytest.raises(ValueError, match=f'"{spec}" is no set of processors'):
        parse_cpu_spec(spec)


def test_a_mask_that_only_leaves_out_means_all_others() -> None:
    assert parse_cpu_mask("^0", 4) == mask_of([1, 2, 3])
    assert parse_cpu_mask("2-3", 4) == mask_of([2, 3])


@settings(deadline=None)
@given(st.sets(st.integers(0, 200)))
def test_what_is_written_reads_the_same(cpus: set[int]) -> None:
    assert parse_cpu_spec(format_cpu_spec(mask_of(cpus))) == mask_of(cpus)
