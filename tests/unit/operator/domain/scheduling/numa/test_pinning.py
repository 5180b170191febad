"""Which CPUs a guest cell is pinned to."""

import pytest

from kilonova_operator.domain.scheduling.numa.cpu_mask import cpus_of, first_cpus
from kilonova_operator.domain.scheduling.numa.guest import ThreadPolicy
from kilonova_operator.domain.scheduling.numa.pinning import find_pins
from kilonova_operator.domain.scheduling.numa.topology import CellState
from support.numa import made_cell

_PLAIN = ((0,), (1,), (2,), (3,))


def _pinned(
    host: CellState,
    vcpus: int,
    policy: ThreadPolicy | None = None,
    *,
    reserve: bool = False,
) -> tuple[list[int], list[int]] | None:
    """The host's CPUs for the guest's, and those for its emulator."""
    pins = find_pins(host, first_cpus(vcpus), thread_policy=policy, reserve=reserve)
    if pins is None:
        return None
    assert [guest for guest, _ in pins.pairs] == list(range(vcpus))
    return [cpu for _, cpu in pins.pairs], list(cpus_of(pins.reserved))


@pytest.mark.parametrize(
    ("policy", "pinned", "vcpus", "cpus"),
    [
        pytest.param(None, [], 3, [0, 4, 1], id="siblings go together"),
        pytest.param("prefer", [0, 1], 2, [2, 6], id="whole cores come first"),
        pytest.param("prefer", [0, 1, 2, 3], 2, [4, 5], id="else one of each core"),
        pytest.param(
            "prefer", [0, 1, 2], 5, [4, 5, 6, 3, 7], id="else all that is left"
        ),
        pytest.param("require", [0, 1], 4, [2, 6, 3, 7], id="only whole cores"),
        pytest.param("require", [0, 1, 2], 3, None, id="never single threads"),
        pytest.param("isolate", [1], 3, [0, 2, 3], id="one thread of whole cores"),
        pytest.param("isolate", [1], 4, None, id="never part of a core"),
    ],
)
def test_threads_of_cores_are_taken_by_the_policy(
    policy: ThreadPolicy | None, pinned: list[int], vcpus: int, cpus: list[int] | None
) -> None:
    found = _pinned(made_cell(pinned=pinned), vcpus, policy)
    assert (found and found[0]) == cpus


def test_a_host_without_threads_isolates_and_never_requires() -> None:
    host = made_cell(cores=_PLAIN)
    assert _pinned(host, 2, "isolate") == ([0, 1], [])
    assert _pinned(host, 2, "require") is None


def test_nothing_is_isolated_among_threads_where_cpus_are_set_apart() -> None:
    assert _pinned(made_cell(shared=[0, 4]), 1, "isolate") is None


def test_the_emulator_gets_a_cpu_of_its_own() -> None:
    assert _pinned(made_cell(), 2, reserve=True) == ([0, 4], [1])
    assert _pinned(made_cell(), 3, "require", reserve=True) == ([0, 4, 1], [5])


def test_an_isolated_emulator_gets_a_whole_core() -> None:
    assert _pinned(made_cell(pinned=[5]), 2, "isolate", reserve=True) == ([0, 2], [3])
    assert _pinned(made_cell(pinned=[5]), 3, "isolate", reserve=True) is None


def test_without_a_cpu_for_the_emulator_there_is_no_way() -> None:
    assert _pinned(made_cell(cores=_PLAIN), 4, reserve=True) is None


def test_threads_are_taken_in_ascending_order() -> None:
    host = made_cell(cores=((9, 1), (18, 2)))
    assert _pinned(host, 2) == ([1, 9], [])
