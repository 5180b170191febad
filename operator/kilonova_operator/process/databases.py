"""Opens the databases: each must answer, and its schema be this program's."""

import asyncio
from datetime import UTC, datetime

from sqlalchemy.exc import DBAPIError

from kilonova_api.names import CELL0
from kilonova_operator.context import Stores
from kilonova_operator.domain.epoch import Owner
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.settings import API_DATABASE, Settings
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.failures import describe
from kilonova_operator.storage.sql.schema_head import HEADS, read_revision
from kilonova_operator.storage.sql.stores import (
    StoreSettings,
    open_api_store,
    open_cell_store,
)
from kilonova_operator.storage.sql.urls import parse_url

_CHECK = EngineSettings(pool_size=1)


class SchemaNotCurrent(KilonovaError):
    """A database's schema is not the one that this program was built for."""

    def __init__(self, database: str, found: str | None, wanted: str) -> None:
        if found is not None and found > wanted:
            cure = "It was migrated by a newer program: run that one."
        else:
            cure = "Run: kilonova-manage db sync"
        super().__init__(
            f"database {database} has schema revision {found or 'none'}, this "
            f"program needs {wanted}. {cure}"
        )


async def open_stores(settings: Settings, owner: Owner) -> Stores:
    """Open every database of this release.

    Raises:
        DatabaseUnavailable: one does not answer; it may later.
        SchemaNotCurrent: run what its text says first.
    """
    revisions = {
        name: await asyncio.to_thread(_check_schema, settings, name)
        for name in settings.databases
    }
    bounds = StoreSettings(engine=EngineSettings(pool_size=settings.database_pool_size))
    api = open_api_store(
        settings.database_url(API_DATABASE), owner, utcnow=_utcnow, settings=bounds
    )
    cells = {
        cell: open_cell_store(
            cell, settings.database_url(cell), owner, utcnow=_utcnow, settings=bounds
        )
        for cell in (CELL0, *settings.cells)
    }
    return Stores(api=api, cells=cells, revisions=revisions)


def _check_schema(settings: Settings, name: str) -> str:
    wanted = HEADS["api" if name == API_DATABASE else "cell"]
    engine = build_engine(parse_url(name, settings.database_url(name)), _CHECK)
    try:
        found = read_revision(engine)
    except DBAPIError as error:
        raise DatabaseUnavailable(name, describe(error)) from None
    finally:
        engine.dispose()
    if found != wanted:
        raise SchemaNotCurrent(name, found, wanted)
    return wanted


def _utcnow() -> datetime:
    return datetime.now(UTC)
