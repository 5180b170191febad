"""The nearest miss: what would have to be free for one host to fit."""

import pytest

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU
from support.scheduling import made_columns, made_facts, made_request, made_scheduler
from support.scheduling import made_view as view

ASKED = {VCPU: 4, MEMORY_MB: 4096, DISK_GB: 40}


@pytest.mark.parametrize(
    ("used", "said"),
    [
        pytest.param((0, 28672, 0), "512 MiB of memory", id="memory"),
        pytest.param((62, 0, 0), "2 virtual CPUs", id="cores"),
        pytest.param(
            (62, 28672, 470),
            "2 virtual CPUs, 512 MiB of memory and 10 GiB of disk",
            id="everything",
        ),
    ],
)
def test_the_host_that_lacks_least_is_told_of_without_its_name(
    used: tuple[int, int, int], said: str
) -> None:
    columns = made_columns(
        (made_facts("hv0"), view("hv0", used=(64, 32000, 500))),
        (made_facts("hv1"), view("hv1", used=used)),
    )
    decision = made_scheduler(columns).select(made_request(ASKED))
    assert decision.host is None
    assert decision.build_record().nearest_miss == f"One host lacks {said}."


def test_a_host_that_fails_otherwise_is_no_miss() -> None:
    columns = made_columns((made_facts("hv0", up=False), view("hv0")))
    assert made_scheduler(columns).select(made_request(ASKED)).nearest_miss is None


def test_a_guest_bigger_than_any_host_has_no_nearest_miss() -> None:
    columns = made_columns((made_facts("hv0"), view("hv0")))
    wanted = made_request({VCPU: 17})
    assert made_scheduler(columns).select(wanted).nearest_miss is None


def test_a_server_that_found_a_host_missed_nothing() -> None:
    columns = made_columns((made_facts("hv0"), view("hv0")))
    assert made_scheduler(columns).select(made_request(ASKED)).nearest_miss is None
