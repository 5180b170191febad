"""NUMATopologyFilter for one host."""

import pytest

from kilonova_operator.domain.scheduling.numa.guest import GuestTopology
from kilonova_operator.domain.scheduling.numa.judgement import host_passes
from kilonova_operator.domain.scheduling.numa.topology import NumaState
from support.numa import LIMITS, made_cell, made_host, pinned_guest

_HOST = made_host(made_cell())
_WITHOUT_THREADS = made_host(made_cell(cores=((0,), (1,), (2,), (3,))))


@pytest.mark.parametrize(
    ("host", "guest", "passes"),
    [
        pytest.param(None, None, True, id="nothing asked, no cells"),
        pytest.param(_HOST, None, True, id="nothing asked"),
        pytest.param(None, pinned_guest(1), False, id="a host that tells no cells"),
        pytest.param(NumaState(()), pinned_guest(1), False, id="a host without cells"),
        pytest.param(_HOST, pinned_guest(1), True, id="it fits"),
        pytest.param(_HOST, pinned_guest(9), False, id="it does not fit"),
        pytest.param(
            _WITHOUT_THREADS,
            pinned_guest(1, thread_policy="prefer", needs_threads=True),
            False,
            id="a host without threads",
        ),
        pytest.param(
            _HOST, pinned_guest(1, needs_threads=True), True, id="a host with threads"
        ),
    ],
)
def test_a_host_passes_if_the_guest_has_a_place(
    host: NumaState | None, guest: GuestTopology | None, *, passes: bool
) -> None:
    assert host_passes(host, guest, LIMITS) is passes
