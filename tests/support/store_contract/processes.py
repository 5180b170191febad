"""Two processes that claim against one database, and one that is killed."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from pydantic import SecretStr

import kilonova_api
import kilonova_operator
from kilonova_operator.domain.addressing import NetworkRequest
from kilonova_operator.domain.epoch import Term
from kilonova_operator.services.stores import ApiStore
from support.claiming_process import ClaimingOrder, build_request
from support.databases import Databases
from support.store_contract.claims import NET
from support.store_contract.epoch import prepare_host
from support.store_contract.invariants import find_violations

CLAIMS = 10_000
HOSTS = 400
"""With room for 15 Servers each: less than is asked for."""
_PATHS = (
    *(Path(p.__file__ or "").parents[1] for p in (kilonova_api, kilonova_operator)),
    Path(__file__).parents[2],
)


def start(order: ClaimingOrder) -> subprocess.Popen[str]:
    paths = os.pathsep.join(str(path) for path in _PATHS)
    process = subprocess.Popen(
        [sys.executable, "-m", "support.claiming_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )
    assert process.stdin is not None
    process.stdin.write(order.to_json())
    process.stdin.close()
    return process


def read_answers(process: subprocess.Popen[str]) -> list[list[str]]:
    assert process.stdout is not None
    return [line.split() for line in process.stdout]


async def prepare(databases: Databases, url: SecretStr) -> tuple[ApiStore, Term]:
    store = databases.open_api(url)
    term = await store.take_term("super", "pod-a")
    for number in range(HOSTS):
        await prepare_host(store, term, f"hv{number}")
    cidr = IPv4Network("10.20.0.0/16")
    await store.ensure_network(
        term, NetworkRequest(NET, "NAT", "Network shop/private", cidr)
    )
    return store, term


async def read_uids(store: ApiStore) -> set[str]:
    uids: set[str] = set()
    while page := await store.list_mappings(after=max(uids, default=""), limit=5000):
        uids |= {mapping.server.uid for mapping in page}
    return uids


def made_by(answers: Iterable[list[str]]) -> set[str]:
    return {uid for reason, uid in answers if reason == "Claimed"}


async def test_two_processes_overfill_nothing_and_lose_nothing(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await prepare(databases, url)
    half = CLAIMS // 2
    processes = [
        start(ClaimingOrder(url.get_secret_value(), term, n * half, half, HOSTS, n))
        for n in range(2)
    ]
    answers = [answer for process in processes for answer in read_answers(process)]
    assert [process.wait() for process in processes] == [0, 0]
    reasons = Counter(reason for reason, _ in answers)
    assert sum(reasons.values()) == CLAIMS
    refusals = {"CapacityExceeded", "GroupViolated", "NumaUnfit"}
    assert set(reasons) == {"Claimed"} | refusals
    assert made_by(answers) == await read_uids(store)
    views = await store.list_provider_views()
    assert sum(view.claims for view in views) == reasons["Claimed"]
    assert (await store.audit()).clean
    assert find_violations(url) == {}


async def test_a_killed_process_leaves_whole_claims_or_none(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await prepare(databases, url)
    process = start(ClaimingOrder(url.get_secret_value(), term, 0, 5000, HOSTS, 7))
    assert process.stdout is not None
    answers = [process.stdout.readline().split() for _ in range(300)]
    process.kill()
    answers += [answer for answer in read_answers(process) if len(answer) == 2]
    process.wait()
    left = await read_uids(store)
    assert made_by(answers) <= left, "an answered claim is lost"
    assert len(left) < 5000
    assert (await store.audit()).clean
    assert find_violations(url) == {}
    await store.claim(term, build_request(9_000_001, "hv0"))
