"""How many decisions get the record of all their hosts, beside the claims."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.scheduler_cloud import Cloud
from kilonova_api.kube.clock import SystemClock
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.host_records import HostRecord
from kilonova_operator.services.servers.claiming import Attempt, HostClaimer
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.host_recorder import HostRecorder
from kilonova_operator.services.stores import ApiStore

PACE_PER_S = 50
PACED = 300
_KEY = Key("", "hosts")


@dataclass(slots=True)
class _Counted:
    """The store, as far as the recorder uses it."""

    store: ApiStore
    records: int = 0

    async def keep_hosts(self, term: Any, records: Sequence[HostRecord]) -> None:
        """Keep them, and count."""
        await self.store.keep_hosts(term, records)
        self.records += len(records)


@dataclass(slots=True)
class Recording:
    """A recorder at work, as its queue in the operator lets it work."""

    recorder: HostRecorder
    counted: _Counted
    awake: asyncio.Event
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing waits."""

    @property
    def records(self) -> int:
        """How many decisions have their hosts in the database."""
        return self.counted.records

    async def run(self) -> None:
        """Write what waits, until cancelled."""
        while True:
            await self.awake.wait()
            self.awake.clear()
            self.idle.clear()
            again = await self.recorder.reconcile(_KEY)
            if again is None:
                self.idle.set()
            else:
                await asyncio.sleep(again.seconds)
                self.awake.set()


@asynccontextmanager
async def open_recording(store: ApiStore, duty: Duty) -> AsyncIterator[Recording]:
    """Let a recorder work meanwhile."""
    counted, awake = _Counted(store), asyncio.Event()
    api: Any = counted
    recorder = HostRecorder(
        api=api, duty=duty, clock=SystemClock(), wake=lambda key: awake.set()
    )
    recording = Recording(recorder, counted, awake)
    task = asyncio.create_task(recording.run())
    try:
        yield recording
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def place_paced(
    claimer: HostClaimer, cloud: Cloud, recording: Recording, *, count: int = PACED
) -> float:
    """Place ``PACE_PER_S`` Servers a second; return the share with all hosts kept."""
    await recording.idle.wait()
    before, began = recording.records, time.monotonic()
    for number in range(count):
        server, found = cloud.build_server()
        await claimer.claim_best(server, found, Attempt())
        await asyncio.sleep(began + (number + 1) / PACE_PER_S - time.monotonic())
    await recording.idle.wait()
    return (recording.records - before) / count
