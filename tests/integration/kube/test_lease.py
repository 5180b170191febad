"""Leases of a real server, whose writes really race."""

import asyncio
from random import Random

import pytest

from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import SystemClock
from kilonova_api.kube.errors import LeaseLost
from kilonova_api.kube.heartbeat import Heartbeat
from kilonova_api.kube.lease import LeaseElector, LeaseSettings
from kilonova_api.kube.lease_record import LeaseName
from kilonova_api.kube.resources import LEASE

SHORT = LeaseSettings(
    duration_seconds=3, renew_seconds=0.5, retry_seconds=0.2, attempt_seconds=1.0
)


def _elector(kube: KubeClient, namespace: str, identity: str) -> LeaseElector:
    return LeaseElector(
        kube,
        LeaseName(namespace, "super", identity),
        clock=SystemClock(),
        random=Random(identity),
        settings=SHORT,
        notes=lambda: {"compute.kilonova.dev/tick": "42"},
    )


async def test_a_follower_takes_over_from_a_dead_holder_and_never_before_its_end(
    kube: KubeClient, namespace: str
) -> None:
    clock = SystemClock()
    first, second = (_elector(kube, namespace, name) for name in "ab")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    following = asyncio.create_task(second.acquire())
    done, _ = await asyncio.wait([following], timeout=4)  # more than the lease time
    assert not done
    first.check()
    holding.cancel()  # dies without a word
    died_at = clock.boottime()
    async with asyncio.timeout(15):
        taken = await following
    assert clock.boottime() - died_at > 2
    with pytest.raises(LeaseLost):
        first.check()
    with pytest.raises(LeaseLost):
        await first.hold()
    second.check()
    assert taken.transitions == 1
    assert taken.annotations == {"compute.kilonova.dev/tick": "42"}


async def test_a_released_lease_changes_hands_at_once(
    kube: KubeClient, namespace: str
) -> None:
    first, second = (_elector(kube, namespace, name) for name in "ab")
    await first.acquire()
    following = asyncio.create_task(second.acquire())
    await first.release()
    async with asyncio.timeout(2):
        await following
    lease = await kube.get(LEASE, namespace, "super")
    assert lease["spec"]["holderIdentity"] == "b"


async def test_of_many_who_race_for_a_new_lease_one_wins(
    kube: KubeClient, namespace: str
) -> None:
    racers = [
        asyncio.create_task(_elector(kube, namespace, f"r{number}").acquire())
        for number in range(10)
    ]
    done, waiting = await asyncio.wait(racers, timeout=2)
    for task in waiting:
        task.cancel()
    assert len(done) == 1


async def test_a_heartbeat_is_renewed_in_place(
    kube: KubeClient, namespace: str
) -> None:
    heartbeat = Heartbeat(
        kube,
        LeaseName(namespace, "heartbeat", "hv1"),
        clock=SystemClock(),
        random=Random(1),
    )
    await heartbeat.beat()
    before = await kube.get(LEASE, namespace, "heartbeat")
    await heartbeat.beat()
    after = await kube.get(LEASE, namespace, "heartbeat")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["renewTime"] > before["spec"]["renewTime"]
    assert after["spec"]["leaseDurationSeconds"] == 60
    await kube.delete(
        LEASE, namespace, "heartbeat", uid=after["metadata"]["uid"]
    )  # by a careless hand
    await heartbeat.beat()
    again = await kube.get(LEASE, namespace, "heartbeat")
    assert again["spec"]["holderIdentity"] == "hv1"
