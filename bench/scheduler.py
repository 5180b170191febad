"""How fast Servers get a host and a durable claim.

64 callers at once of the service that places Servers, on a real database that holds
hosts and the claims of a hundred thousand Servers; the API server has no part in it.
So ``start_s`` times the scheduler's own load alone: columns of hosts that are at
hand, and of what the database says. What an operator waits for besides when it starts,
its informers and the Lease, is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import shutil
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from pydantic import SecretStr

from bench.lab import say
from bench.scheduler_cloud import Cloud, seed_database
from bench.scheduler_peer import measure_peer
from bench.scheduler_records import PACE_PER_S, open_recording, place_paced
from kilonova_api.kube.clock import SystemClock
from kilonova_operator.domain.epoch import Owner
from kilonova_operator.domain.quota import QuotaLimits
from kilonova_operator.domain.scheduling.defaults import build_default_rules
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.services.quotas.directory import QuotaDirectory
from kilonova_operator.services.servers.claiming import Attempt, HostClaimer
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.host_recorder import HostRecorder
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.ranking import HostRanking
from kilonova_operator.services.servers.requests import RequestBuilder
from kilonova_operator.services.servers.unknown_guests import UnknownGuests
from kilonova_operator.services.stores import ApiStore
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.schema_sync import upgrade
from kilonova_operator.storage.sql.stores import open_api_store
from kilonova_operator.storage.sql.urls import parse_url
from support.mariadb import PREFIX, SIZED_FOR_LOAD, MariaDb

CALLERS = 64
WARM_UP = 256
ALONE = 400


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured."""

    hosts: int
    database: str
    affinity: bool
    decisions: int
    seed: int


class _Nothing:
    """An informer that has seen nothing."""

    def find(self, key: Any) -> Any:
        del key
        return None

    def by_index(self, name: str, value: Any) -> list[Any]:
        del name, value
        return []

    def items(self) -> dict[Any, Any]:
        return {}


class _Namespaces(_Nothing):
    """Namespaces whose uids are their names."""

    def find(self, key: Any) -> Any:
        return key.name


_NO_KUBE: Any = None
"""The namespaces are known: nothing is asked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this bench."""
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--db", choices=("mariadb", "sqlite"), default="mariadb")
    parser.add_argument("--affinity", type=int, choices=(0, 1), default=0)
    parser.add_argument("--decisions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peer", metavar="PYTHON", help="one that has the real Nova")


def measure_scheduler(options: argparse.Namespace) -> dict[str, Any]:
    """Return decisions a second, latencies of one alone, and memory."""
    load = Load(
        hosts=options.hosts,
        database=options.db,
        affinity=bool(options.affinity),
        # A small cloud has no room for so many.
        decisions=min(options.decisions, options.hosts * 12),
        seed=options.seed,
    )
    cloud = Cloud(load.hosts, Random(load.seed), affinity=load.affinity)
    with _fresh_database(load.database) as url:
        began = time.monotonic()
        seed_database(url, cloud)
        say(f"{load.hosts} hosts, {cloud.servers} Servers: {_since(began)}")
        measured = asyncio.run(_measure(load, cloud, url))
    if options.peer:
        measured |= measure_peer(
            options.peer, load.hosts, seed=load.seed, affinity=load.affinity
        )
        ratio = measured["decisions_per_s"] / measured["peer_decisions_per_s"]
        measured["ratio"] = round(ratio)
    return measured


async def _measure(load: Load, cloud: Cloud, url: str) -> dict[str, Any]:
    store = open_api_store(
        SecretStr(url), Owner("bench", "bench"), utcnow=lambda: datetime.now(UTC)
    )
    try:
        term = await store.take_term("super", "bench")
        began = time.monotonic()
        ranking = _build_ranking(store, cloud)
        await ranking.load()
        start_s = round(time.monotonic() - began, 2)
        async with open_recording(store, _build_duty(term)) as recording:
            claimer = _build_claimer(store, ranking, recording.recorder)
            await _place_many(claimer, cloud, WARM_UP)
            recorded = recording.records
            rate = await _place_many(claimer, cloud, load.decisions)
            recorded = recording.records - recorded
            alone = await _place_alone(claimer, cloud, min(ALONE, load.hosts))
            paced = await place_paced(claimer, cloud, recording)
        sizes = await _measure_memory(store, cloud, term)
        return {
            "db": load.database,
            "hosts": load.hosts,
            "affinity": int(load.affinity),
            "decisions_per_s": round(rate),
            "hosts_kept_per_s": round(rate * recorded / load.decisions),
            f"hosts_kept_at_{PACE_PER_S}_per_s": round(paced, 3),
            "alone_p50_ms": _at(alone, 0.50),
            "alone_p99_ms": _at(alone, 0.99),
            "bytes_per_host": round(sizes.hosts / load.hosts),
            "bytes_per_server": round(sizes.servers / sizes.counted),
            "start_s": start_s,
            "seed": load.seed,
        }
    finally:
        await store.close()


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Bytes that the scheduler keeps of all hosts, and of all Servers."""

    hosts: int
    servers: int
    counted: int
    """Servers that there were."""


async def _measure_memory(store: ApiStore, cloud: Cloud, term: Any) -> _Sizes:
    """Start anew with every allocation counted, and decide until all is warm."""
    tracemalloc.start()
    ranking = _build_ranking(store, cloud)
    before = _count_bytes()
    await ranking.placements.read(store)
    servers, counted = _count_bytes() - before, len(ranking.placements)
    await ranking.load()
    async with open_recording(store, _build_duty(term)) as recording:
        claimer = _build_claimer(store, ranking, recording.recorder)
        await _place_many(claimer, cloud, WARM_UP)
        await recording.idle.wait()
    hosts = _count_bytes() - servers
    tracemalloc.stop()
    return _Sizes(hosts, servers, counted)


def _count_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _build_ranking(store: ApiStore, cloud: Cloud) -> HostRanking:
    """Return a ranking that has heard of every host."""
    ranking = HostRanking(
        rules=build_default_rules(),
        hosts=_Nothing(),
        api=store,
        clock=SystemClock(),
        random=Random(cloud.seed),
    )
    for key, host in cloud.list_compute_hosts():
        ranking.host_changed(key, None, host)
    return ranking


def _build_duty(term: Any) -> Duty:
    return Duty(check=_no_objection, check_frozen=_no_objection, term=lambda: term)


def _build_claimer(
    store: ApiStore, ranking: HostRanking, recorder: HostRecorder
) -> HostClaimer:
    return HostClaimer(
        api=store,
        duty=recorder.duty,
        requests=RequestBuilder(
            build_default_rules(),
            SchedulingOptions(),
            ranking.placements,
            _Nothing(),
        ),
        ranking=ranking,
        instances=InstanceView(_Nothing(), SystemClock(), server_uid_index="uid"),
        unknown=UnknownGuests(_Nothing()),
        recorder=recorder,
        quotas=QuotaDirectory(
            quotas=_Nothing(),
            namespaces=_Namespaces(),
            kube=_NO_KUBE,
            default=QuotaLimits(),
        ),
    )


async def _place_many(claimer: HostClaimer, cloud: Cloud, count: int) -> float:
    """Place Servers by 64 callers; return how many a second."""
    waiting = [cloud.build_server() for _ in range(count)]
    unplaced = 0

    async def call() -> None:
        nonlocal unplaced
        while waiting:
            server, found = waiting.pop()
            claim, _ = await claimer.claim_best(server, found, Attempt())
            unplaced += claim is None

    began = time.monotonic()
    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(call())
    took = time.monotonic() - began
    if unplaced > count // 100:
        raise RuntimeError(f"{unplaced} of {count} Servers found no host")
    return count / took


async def _place_alone(claimer: HostClaimer, cloud: Cloud, count: int) -> list[float]:
    """Place one Server after the other; return each one's time in ms, sorted."""
    took = []
    for _ in range(count):
        server, found = cloud.build_server()
        began = time.perf_counter()
        await claimer.claim_best(server, found, Attempt())
        took.append((time.perf_counter() - began) * 1000)
    return sorted(took)


@contextmanager
def _fresh_database(kind: str) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="kn-bench-"))
    try:
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'api.sqlite'}"
            _migrate(url)
            yield url
            return
        with MariaDb(options=SIZED_FOR_LOAD) as server:
            name = f"{PREFIX}bench"
            server.run_as_root(f"CREATE DATABASE {name}")
            url = server.url(name)
            _migrate(url)
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _migrate(url: str) -> None:
    engine = build_engine(parse_url("api", SecretStr(url)), EngineSettings(pool_size=2))
    upgrade("api", "api", engine)
    engine.dispose()


def _no_objection() -> None:
    return None


def _at(sorted_ms: list[float], share: float) -> float:
    return round(sorted_ms[min(int(len(sorted_ms) * share), len(sorted_ms) - 1)], 2)


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
