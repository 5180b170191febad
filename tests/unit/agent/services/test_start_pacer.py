"""Pauses between starts."""

from random import Random

from kilonova_agent.services.start_pacer import StartPacer
from support.clock import FakeClock


async def test_pauses_grow_while_a_guest_does_not_stay_up() -> None:
    clock = FakeClock()
    pacer = StartPacer(clock, Random(1))
    assert pacer.seconds_left("a") == 0
    pauses = []
    for _ in range(12):
        pacer.note_start("a")
        pauses.append(pacer.seconds_left("a"))
        await clock.advance(pauses[-1])

    assert 2 <= pauses[0] <= 4
    assert pauses[5] > 10 * pauses[0]
    assert max(pauses) <= 300
    assert pacer.seconds_left("b") == 0


async def test_a_guest_that_stayed_up_starts_at_once() -> None:
    clock = FakeClock()
    pacer = StartPacer(clock, Random(1))
    for _ in range(8):
        pacer.note_start("a")
    await clock.advance(700)
    pacer.note_start("a")

    assert pacer.seconds_left("a") <= 4
