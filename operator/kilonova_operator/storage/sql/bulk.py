"""Many rows in one statement, at the price of the driver. Blocking.

SQLAlchemy's own executemany looks at every value of every row twice. Here a
table's statement, its columns' order and its types' converters are found once.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.orm import DeclarativeBase

Convert = Callable[[Any], Any]

_MARKS = {"qmark": "?"}
"""What stands for a value, where the driver does not take %s."""


def insert_rows(
    connection: Connection,
    row: type[DeclarativeBase],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Insert rows that have a value for each of the table's columns."""
    if not rows:
        return
    statement, names, converts = _prepare(row, connection.dialect)
    values = [tuple([new[name] for name in names]) for new in rows]
    if converts:
        values = [_convert(new, converts) for new in values]
    connection.exec_driver_sql(statement, values)


def _convert(
    values: tuple[Any, ...], converts: Mapping[int, Convert]
) -> tuple[Any, ...]:
    changed = list(values)
    for place, convert in converts.items():
        changed[place] = convert(changed[place])
    return tuple(changed)


@cache
def _prepare(
    row: type[DeclarativeBase], dialect: Dialect
) -> tuple[str, tuple[str, ...], dict[int, Convert]]:
    table = cast("Table", row.__table__)
    quote = dialect.identifier_preparer
    names = ", ".join(quote.format_column(column) for column in table.columns)
    mark = _MARKS.get(dialect.paramstyle, "%s")
    marks = ", ".join(mark for _ in table.columns)
    converts = (
        column.type.dialect_impl(dialect).bind_processor(dialect)
        for column in table.columns
    )
    return (
        f"INSERT INTO {quote.format_table(table)} ({names}) VALUES ({marks})",  # noqa: S608 - names of our schema
        tuple(column.key for column in table.columns),
        {place: convert for place, convert in enumerate(converts) if convert},
    )
