"""Migrated MariaDB databases, emptied and used again: DDL takes a second."""

from collections.abc import Iterator

from support.databases import migrate
from support.mariadb import PREFIX, MariaDb


class DatabasePool:
    """Pairs of an API and a cell's database; each test gets them as if new."""

    def __init__(self, server: MariaDb) -> None:
        self._server = server
        self._made: list[tuple[str, str]] = []

    def fresh_urls(self) -> Iterator[tuple[str, str]]:
        """Give pairs of empty databases, from the first pair on."""
        number = 0
        while True:
            if number == len(self._made):
                self._made.append(self._make(number))
            names = self._made[number]
            self._empty(names)
            yield self._server.url(names[0]), self._server.url(names[1])
            number += 1

    def _make(self, number: int) -> tuple[str, str]:
        api, cell = f"{PREFIX}api_{number}", f"{PREFIX}cell_{number}"
        self._server.run_as_root(f"CREATE DATABASE {api}", f"CREATE DATABASE {cell}")
        migrate("api", self._server.url(api))
        migrate("cell", self._server.url(cell))
        return api, cell

    def _empty(self, names: tuple[str, str]) -> None:
        tables = self._server.run_as_root(
            "SELECT table_schema, table_name FROM information_schema.tables "  # noqa: S608
            f"WHERE table_schema IN {names} "
            "AND table_name NOT IN ('alembic_version', 'epoch')"
        )
        self._server.run_as_root(
            "START TRANSACTION",
            *(f"DELETE FROM {schema}.{table}" for schema, table in tables),  # noqa: S608
            *(
                f"UPDATE {name}.epoch SET database_id = UUID(), "  # noqa: S608
                "owner_cluster_uid = '', owner_release = '', term = 0, nonce = '', "
                "role = '', holder = '', tick = 0, frozen_reason = '', "
                "frozen_message = ''"
                for name in names
            ),
            f"UPDATE {names[0]}.epoch SET store_version = 0",  # noqa: S608
            "COMMIT",
        )
