"""Opening stores: URL in, store out. Nothing connects before the first call."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import Random, SystemRandom

from pydantic import SecretStr

from kilonova_operator.domain.epoch import Owner
from kilonova_operator.services.stores import ApiStore, CellStore
from kilonova_operator.storage.sql.api.address_search import AddressHints
from kilonova_operator.storage.sql.api.claiming.addresses import NicAssigner
from kilonova_operator.storage.sql.api.macs import draw_mac
from kilonova_operator.storage.sql.api.schema import ApiEpoch
from kilonova_operator.storage.sql.api.store import SqlApiStore
from kilonova_operator.storage.sql.cell.schema import CellEpoch
from kilonova_operator.storage.sql.cell.store import SqlCellStore
from kilonova_operator.storage.sql.database import Database
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.epoch import Epoch
from kilonova_operator.storage.sql.epoch_row import EpochColumns
from kilonova_operator.storage.sql.transactions import RetrySettings, Transactions
from kilonova_operator.storage.sql.urls import parse_url

API_DATABASE = "api"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Bounds of one store."""

    engine: EngineSettings = field(default_factory=EngineSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)


def open_api_store(
    url: SecretStr,
    owner: Owner,
    *,
    utcnow: Callable[[], datetime],
    settings: StoreSettings | None = None,
    random: Random | None = None,
) -> ApiStore:
    """Return the API database's store.

    random: draws MACs.

    Raises:
        DatabaseUrlInvalid: the URL names no database we can use.
    """
    database = _open(API_DATABASE, url, owner, ApiEpoch, settings or StoreSettings())
    mac_source = partial(draw_mac, random or SystemRandom())
    return SqlApiStore(database, utcnow, nics=NicAssigner(AddressHints(), mac_source))


def open_cell_store(
    cell: str,
    url: SecretStr,
    owner: Owner,
    *,
    utcnow: Callable[[], datetime],
    settings: StoreSettings | None = None,
) -> CellStore:
    """Return the store of a cell's database.

    Raises:
        DatabaseUrlInvalid: the URL names no database we can use.
    """
    database = _open(cell, url, owner, CellEpoch, settings or StoreSettings())
    return SqlCellStore(database, utcnow)


def _open(
    name: str,
    url: SecretStr,
    owner: Owner,
    row: type[EpochColumns],
    settings: StoreSettings,
) -> Database:
    engine = build_engine(parse_url(name, url), settings.engine)
    return Database(
        engine,
        Transactions(name, engine, settings=settings.retry),
        Epoch(name, row),
        owner=owner,
        threads=settings.engine.pool_size,
    )
