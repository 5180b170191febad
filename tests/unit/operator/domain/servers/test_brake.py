import pytest

from kilonova_operator.domain.servers.brake import BrakeSettings, destroys_left


@pytest.mark.parametrize(
    ("ordered", "guests", "left"),
    [(0, 3, 5), (5, 3, 0), (6, 3, 0), (5, 50, 0), (0, 100, 10), (10, 100, 0)],
)
def test_five_or_a_tenth_of_the_guests_may_be_destroyed(
    ordered: int, guests: int, left: int
) -> None:
    assert destroys_left(ordered, guests, BrakeSettings()) == left
