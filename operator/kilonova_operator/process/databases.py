"""Opens the databases: the schema of each must be this program's.

The API database and cell0 must answer. A cell's own may come later: until then
the rest works, and only that cell's Servers wait.
"""

import asyncio
import logging
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

logger = logging.getLogger(__name__)

_CHECK = EngineSettings(pool_size=1)
_NEEDED = frozenset({API_DATABASE, CELL0})


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
        DatabaseUnavailable: one that nobody can do without does not answer.
        SchemaNotCurrent: run what its text says first.
    """
    schemas = _Schemas(settings)
    for name in settings.databases:
        try:
            await schemas.check(name)
        except DatabaseUnavailable as error:
            if name in _NEEDED:
                raise
            logger.warning("%s; the rest starts without it", error)
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
    return Stores(api, cells, revisions=schemas.revisions, prepare=schemas.prepare)


class _Schemas:
    """The schemas of the databases that have answered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.revisions: dict[str, str] = {}

    async def check(self, name: str) -> None:
        """Make sure of a database's schema, once."""
        if name not in self.revisions:
            found = await asyncio.to_thread(_check_schema, self._settings, name)
            self.revisions[name] = found

    async def prepare(self, name: str) -> None:
        """Make sure of the schema of a database that comes late.

        Raises:
            DatabaseUnavailable: it cannot be used yet. With an old schema neither,
                but that is no reason any more to end what works without it.
        """
        try:
            await self.check(name)
        except SchemaNotCurrent as error:
            raise DatabaseUnavailable(name, str(error)) from None


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
