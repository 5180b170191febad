"""Many rows and long lists in one statement, at the price of the driver. Blocking.

SQLAlchemy's own ways look at every value of every row twice, and write a list's
placeholders anew for each statement. Here a statement's text is made once for
each kind of database; what runs it is still SQLAlchemy, with its events and its
errors.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Delete,
    Dialect,
    Select,
    Table,
    Update,
    literal_column,
)
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.sql.elements import ColumnClause, ColumnElement, SQLCoreOperations

Convert = Callable[[Any], Any]
Value = str | int | Sequence[Any]
"""One value, a list of them, or a list of pairs."""

_MARKS = {"qmark": "?"}
"""What stands for a value, where the driver does not take %s."""
_WIDTH = 100
"""Alternatives of one level."""
_ASKED = re.compile(r"\[\[([^\]]+)\]\]")


def asked(name: str) -> ColumnClause[Any]:
    """Return the place of a value that ``Prepared`` gets when it runs."""
    return literal_column(f"[[{name}]]")


def one_of(column: SQLCoreOperations[Any], name: str) -> ColumnElement[bool]:
    """Compare with a list that ``Prepared`` gets."""
    return column.op("IN", is_comparison=True)(asked(name))


def pair_of(
    first: InstrumentedAttribute[Any], second: InstrumentedAttribute[Any], name: str
) -> ColumnElement[bool]:
    """Compare two columns with a list of pairs that ``Prepared`` gets."""
    columns = (f"{c.class_.__tablename__}.{c.key}" for c in (first, second))
    # No type: a Boolean one is compared with 1, and then no index is used.
    return literal_column(f"[[{name}|{'|'.join(columns)}]]")


class Prepared:
    """A statement whose every value is ``asked`` for, written once."""

    def __init__(
        self,
        statement: Select[*tuple[Any, ...]]
        | CompoundSelect[*tuple[Any, ...]]
        | Update
        | Delete,
    ) -> None:
        self._statement = statement
        self._parts: dict[str, list[str]] = {}

    def rows(self, connection: Connection, **values: Value) -> Sequence[Any]:
        """Return all rows, with the values as the driver gives them."""
        result = connection.exec_driver_sql(*self._write(connection.dialect, values))
        cursor = result.cursor
        if cursor is None:
            raise TypeError("not a SELECT")
        found: Sequence[Any] = cursor.fetchall()
        result.close()
        return found

    def change(self, connection: Connection, **values: Value) -> int:
        """Run an UPDATE or DELETE; returns how many rows it met."""
        written = self._write(connection.dialect, values)
        return connection.exec_driver_sql(*written).rowcount

    def _write(
        self, dialect: Dialect, values: Mapping[str, Value]
    ) -> tuple[str, tuple[Any, ...]]:
        parts = self._parts.get(dialect.name)
        if parts is None:
            parts = _ASKED.split(str(self._statement.compile(dialect=dialect)))
            self._parts[dialect.name] = parts
        text, given = [parts[0]], []
        for place, after in zip(parts[1::2], parts[2::2], strict=True):
            name, *columns = place.split("|")
            value = values[name]
            if isinstance(value, str | int):
                text.append(_mark_of(dialect))
                given.append(value)
            elif columns:
                text.append(_write_pairs(dialect, columns, len(value)))
                given += [one for pair in value for one in pair]
            else:
                text.append(_write_list(dialect, len(value)))
                given += value
            text.append(after)
        return "".join(text), tuple(given)


def insert_rows(
    connection: Connection,
    row: type[DeclarativeBase],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Insert rows that have a value for each of the table's columns."""
    if not rows:
        return
    statement, names, converts = _prepare_insert(row, connection.dialect)
    columns = [[new[name] for new in rows] for name in names]
    for place, convert in converts.items():
        columns[place] = _convert(columns[place], convert)
    connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))


def _convert(values: list[Any], convert: Convert) -> list[Any]:
    if all(value is values[0] for value in values):  # the moment of a batch
        return [convert(values[0])] * len(values)
    return [convert(value) for value in values]


def _mark_of(dialect: Dialect) -> str:
    return _MARKS.get(dialect.paramstyle, "%s")


def _write_list(dialect: Dialect, count: int) -> str:
    """Write the placeholders of a list; nothing is in an empty one."""
    return f"({', '.join([_mark_of(dialect)] * count)})" if count else "(NULL)"


def _write_pairs(dialect: Dialect, columns: Sequence[str], count: int) -> str:
    """Write a comparison with pairs so that each of them is looked up by its index.

    Neither database finds an index for a list of pairs. The alternatives are
    nested, because SQLite allows a depth of 1000 only.
    """
    mark, (first, second) = _mark_of(dialect), columns
    if not count:
        return "(1 = 0)"
    alternatives = [f"({first} = {mark} AND {second} = {mark})"] * count
    while len(alternatives) > 1:
        alternatives = [
            f"({' OR '.join(alternatives[place : place + _WIDTH])})"
            for place in range(0, len(alternatives), _WIDTH)
        ]
    return alternatives[0]


@cache
def _prepare_insert(
    row: type[DeclarativeBase], dialect: Dialect
) -> tuple[str, tuple[str, ...], dict[int, Convert]]:
    table = cast("Table", row.__table__)
    quote = dialect.identifier_preparer
    names = ", ".join(quote.format_column(column) for column in table.columns)
    marks = ", ".join([_mark_of(dialect)] * len(table.columns))
    converts = (
        column.type.dialect_impl(dialect).bind_processor(dialect)
        for column in table.columns
    )
    return (
        f"INSERT INTO {quote.format_table(table)} ({names}) VALUES ({marks})",  # noqa: S608 - names of our schema
        tuple(column.key for column in table.columns),
        {place: convert for place, convert in enumerate(converts) if convert},
    )
