"""The brake counts guests, however they are ended: at once, or again and again."""

import asyncio
from datetime import datetime
from typing import Any

from kilonova_operator.services.servers.brake import DeletionBrake
from support.clock import FakeClock
from support.memory_cluster import MemoryCluster
from support.servers import make_instance

OLD_SECONDS = 3600.0


class SlowCluster(MemoryCluster):
    """Lets others go on before it answers."""

    async def find(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return await super().find(*args, **kwargs)


async def make_brake() -> tuple[DeletionBrake, FakeClock]:
    clock = FakeClock()
    kube: Any = SlowCluster(clock)
    brake = DeletionBrake(
        kube=kube,
        cell="cell1",
        clock=clock,
        now=clock.utcnow,
        count_guests=lambda: 20,
    )
    await clock.advance(OLD_SECONDS)
    return brake, clock


async def lets(
    brake: DeletionBrake, number: int, *, placed_at: datetime | None = None
) -> bool:
    instance = make_instance(uid=f"guest-{number}")
    return await brake.lets(instance, placed_at=placed_at, deleted_at=None)


async def test_guests_that_are_ended_at_once_count_one_by_one() -> None:
    brake, _ = await make_brake()
    assert sum(await asyncio.gather(*(lets(brake, n) for n in range(20)))) == 5


async def test_a_guest_whose_order_failed_goes_on_without_counting_again() -> None:
    brake, _ = await make_brake()
    for _ in range(3):
        assert all([await lets(brake, n) for n in range(5)])
    assert not await lets(brake, 5)


async def test_guests_count_for_as_long_as_the_window() -> None:
    brake, clock = await make_brake()
    assert all([await lets(brake, n) for n in range(5)])
    await clock.advance(599)
    assert not await lets(brake, 5)
    await clock.advance(2)
    assert await lets(brake, 5)
