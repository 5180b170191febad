"""MariaDB crashes, hangs and comes back; a server of its own, for it is killed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from kilonova_operator.domain.placement import Claim
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.storage.sql.engine import EngineSettings
from kilonova_operator.storage.sql.stores import StoreSettings
from support.databases import (
    Databases,
    made_claim,
    made_inventories,
    made_server,
)
from support.mariadb import MariaDb
from support.mariadb_pool import DatabasePool
from support.store_contract.claims import ETH0, open_prepared
from support.store_contract.crashes import engine_of
from support.store_contract.invariants import find_violations

OTHER_CA = "/etc/ssl/certs/ca-certificates.crt"
IMPATIENT = StoreSettings(
    engine=EngineSettings(connect_timeout_seconds=1, answer_timeout_seconds=1)
)


@pytest.fixture(scope="module")
def own_mariadb() -> Iterator[MariaDb]:
    with MariaDb() as server:
        yield server


@pytest.fixture(scope="module")
def own_pool(own_mariadb: MariaDb) -> DatabasePool:
    return DatabasePool(own_mariadb)


@pytest.fixture
async def databases(own_pool: DatabasePool) -> AsyncIterator[Databases]:
    databases = Databases(own_pool.fresh_urls())
    yield databases
    await databases.close()


async def test_claims_go_through_a_crash_of_the_server_once_or_not_at_all(
    databases: Databases, own_mariadb: MariaDb
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url, cidr="10.20.0.0/22")
    room = made_inventories(vcpus=1000, memory_mb=10**6, disk_gb=10**5)
    for host in ("hv1", "hv2"):
        await store.set_inventory(term, host, room)
    noted: list[int] = []

    async def claim(number: int) -> Claim:
        made = await store.claim(
            term, made_claim(number, f"hv{number % 2 + 1}", nics=(ETH0,))
        )
        noted.append(store.tick)
        return made

    running = [asyncio.ensure_future(claim(number)) for number in range(60)]
    await running[10]
    own_mariadb.stop()
    own_mariadb.start()  # in this thread: the server ends with the one it began in
    outcomes = await asyncio.gather(*running, return_exceptions=True)

    answered = {o.server.uid for o in outcomes if isinstance(o, Claim)}
    others = [o for o in outcomes if not isinstance(o, Claim)]
    assert all(isinstance(o, DatabaseUnavailable) for o in others), others
    mapped: set[str] = set()
    while page := await store.list_mappings(after=max(mapped, default="")):
        mapped |= {mapping.server.uid for mapping in page}
    assert answered <= mapped, "an answered claim is lost"
    assert all(m.placement_generation == 1 for m in await store.list_mappings())
    assert find_violations(url) == {}
    assert (await store.read_epoch()).tick >= max(noted), "an answered write is lost"
    for number in range(60):
        if made_server(number).uid not in mapped:
            await claim(number)
    assert find_violations(url) == {}


async def test_a_server_that_hangs_is_given_up_in_bounded_time(
    databases: Databases, own_mariadb: MariaDb
) -> None:
    url = databases.api_url()
    store = databases.open_api(url, settings=IMPATIENT)
    term = await store.take_term("super", "pod-a")
    with own_mariadb.hanging():
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="api"):
            await store.read_epoch()
        assert time.monotonic() - began < 15
    await store.ensure_host_mapping(term, "hv1", "cell1")


async def test_a_server_that_is_away_at_first_is_used_when_it_comes(
    databases: Databases, own_mariadb: MariaDb
) -> None:
    url = databases.api_url()
    own_mariadb.stop()
    store = databases.open_api(url, settings=IMPATIENT)
    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1") as refused:
        await store.take_term("super", "pod-a")
    assert "not-a-secret" not in str(refused.value)
    own_mariadb.start()
    term = await store.take_term("super", "pod-a")
    assert term.number == 1


async def test_connections_killed_while_idle_are_replaced_unnoticed(
    databases: Databases, own_mariadb: MariaDb
) -> None:
    store, term = await open_prepared(databases)
    ids = own_mariadb.run_as_root(
        "SELECT id FROM information_schema.processlist WHERE user = 'kilonova'"
    )
    own_mariadb.run_as_root(*(f"KILL {row[0]}" for row in ids))
    assert (await store.claim(term, made_claim(1, nics=(ETH0,)))).host == "hv1"


async def test_a_lock_held_by_somebody_else_is_waited_for_in_bounds(
    databases: Databases, own_mariadb: MariaDb
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    name = url.get_secret_value().rsplit("/", 1)[1]
    with engine_of(store).connect() as other:
        other.execute(text(f"SELECT * FROM {name}.resource_providers FOR UPDATE"))  # noqa: S608
        claim = asyncio.ensure_future(store.claim(term, made_claim(1)))
        waiting: list[object] = []
        while not waiting:
            assert not claim.done(), f"did not wait for the lock: {claim}"
            waiting = list(
                own_mariadb.run_as_root(
                    "SELECT trx_id FROM information_schema.innodb_trx "
                    "WHERE trx_state = 'LOCK WAIT'"
                )
            )
            # InnoDB makes this view anew only if nobody read it for 100 ms.
            await asyncio.sleep(0.15)
        assert not claim.done()
        other.rollback()
    assert (await claim).placement_generation == 1


async def test_connections_are_encrypted_and_verified_if_a_ca_is_given(
    databases: Databases, own_mariadb: MariaDb
) -> None:
    url = databases.api_url().get_secret_value()
    plain = databases.open_api(SecretStr(url))
    await plain.read_epoch()
    with engine_of(plain).connect() as connection:
        row = connection.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).one()
    assert row[1], "not encrypted"

    trusted = databases.open_api(
        SecretStr(f"{url}?ssl_ca={own_mariadb.certificate}&ssl_check_hostname=true")
    )
    await trusted.read_epoch()
    wrong = databases.open_api(SecretStr(f"{url}?ssl_ca={OTHER_CA}"))
    with pytest.raises(DatabaseUnavailable, match=r"(?i)certificate"):
        await wrong.read_epoch()
