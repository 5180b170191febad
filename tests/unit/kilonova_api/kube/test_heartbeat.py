import asyncio
from random import Random
from typing import Any

from kilonova_api.kube.heartbeat import Heartbeat
from kilonova_api.kube.lease_record import LeaseName
from kilonova_api.kube.resources import LEASE, Key
from support.clock import FakeClock
from support.memory_api import MemoryApi, build_unreachable

KEY = Key("kilonova-host-hv1", "heartbeat")


def _heartbeat(api: MemoryApi, clock: FakeClock, identity: str = "a") -> Heartbeat:
    return Heartbeat(
        api,  # type: ignore[arg-type]  # the part that Leases need
        LeaseName(KEY.namespace, KEY.name, identity),
        clock=clock,
        random=Random(1),
    )


def _renew_time(api: MemoryApi) -> Any:
    return api.objects[KEY]["spec"]["renewTime"]


async def test_a_heartbeat_is_one_write_every_ten_seconds() -> None:
    api, clock = MemoryApi(), FakeClock()
    heartbeat = _heartbeat(api, clock)
    task = asyncio.create_task(heartbeat.run())
    await clock.advance(0)
    assert api.calls == ["find", "create", "replace", "replaced"]
    api.calls.clear()
    await clock.advance(600)
    assert 60 <= api.calls.count("replace") <= 67
    assert set(api.calls) == {"replace", "replaced"}
    assert heartbeat.last_renewed_at is not None
    assert clock.boottime() - heartbeat.last_renewed_at <= 10
    task.cancel()


async def test_a_heartbeat_survives_an_outage_a_deletion_and_a_foreign_write() -> None:
    api, clock = MemoryApi(), FakeClock()
    heartbeat = _heartbeat(api, clock)
    task = asyncio.create_task(heartbeat.run())
    await clock.advance(5)

    def fail(_: str) -> None:
        raise build_unreachable()

    api.before_call = fail
    await clock.advance(300)
    assert heartbeat.last_error is not None
    assert heartbeat.last_renewed_at == 1000
    api.before_call = None
    await clock.advance(10)
    assert heartbeat.last_error is None
    del api.objects[KEY]
    await clock.advance(10)
    assert api.objects[KEY]["spec"]["holderIdentity"] == "a"
    await api.replace(LEASE, api.objects[KEY])
    before = _renew_time(api)
    await clock.advance(10)
    assert _renew_time(api) > before
    assert heartbeat.last_error is None
    task.cancel()


async def test_a_restarted_agent_takes_its_old_lease_at_once() -> None:
    api, clock = MemoryApi(), FakeClock()
    await _heartbeat(api, clock, "before").beat()
    await clock.advance(1)
    await _heartbeat(api, clock, "after").beat()
    spec = api.objects[KEY]["spec"]
    assert spec["holderIdentity"] == "after"
    assert spec["leaseTransitions"] == 1
