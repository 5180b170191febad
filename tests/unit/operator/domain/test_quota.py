"""What a namespace counts, and what does not fit."""

import pytest

from kilonova_operator.domain.quota import (
    QuotaExcess,
    QuotaLimits,
    Usage,
    count_server,
)


@pytest.mark.parametrize(
    ("limits", "excess"),
    [
        pytest.param(QuotaLimits(), None, id="no limit"),
        pytest.param(QuotaLimits(3, 6, 300), None, id="exactly full"),
        pytest.param(
            QuotaLimits(2, 5, 299), QuotaExcess("instances", 1, 2, 2), id="first of all"
        ),
        pytest.param(
            QuotaLimits(cores=5), QuotaExcess("cores", 2, 4, 5), id="cores alone"
        ),
        pytest.param(
            QuotaLimits(ram_mib=0), QuotaExcess("ram_mib", 100, 200, 0), id="nothing"
        ),
    ],
)
def test_the_first_limit_that_would_be_exceeded_is_told(
    limits: QuotaLimits, excess: QuotaExcess | None
) -> None:
    assert limits.find_excess(Usage(2, 4, 200), Usage(1, 2, 100)) == excess


def test_what_is_not_raised_is_not_judged() -> None:
    full = QuotaLimits(0, 0, 0)
    assert full.find_excess(Usage(5, 5, 5), Usage()) is None
    assert full.find_excess(Usage(5, 5, 5), Usage(0, -1, -1)) is None


@pytest.mark.parametrize(
    ("cell", "deleted", "retained", "counts"),
    [
        ("cell1", False, False, True),
        ("cell0", False, False, False),
        ("cell1", True, False, False),
        ("cell1", False, True, False),
    ],
)
def test_living_servers_with_a_cell_count(
    cell: str, *, deleted: bool, retained: bool, counts: bool
) -> None:
    usage = count_server(
        cell=cell, deleted=deleted, retained=retained, vcpus=2, ram_mib=512
    )
    assert usage == (Usage(1, 2, 512) if counts else Usage())
