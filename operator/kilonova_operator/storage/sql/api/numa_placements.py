"""Places of guests in the NUMA cells of their hosts. Blocking."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, delete, select
from sqlalchemy.orm import Session

from kilonova_operator.domain.placement import NumaHold
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement
from kilonova_operator.domain.scheduling.numa.records import build_record, read_record
from kilonova_operator.storage.sql.api.schema import NumaPlacementRow
from kilonova_operator.storage.sql.bulk import Prepared, one_of

_ROW = NumaPlacementRow
_COLUMNS = select(_ROW.server_uid, _ROW.placement_generation, _ROW.host, _ROW.placement)
_ALL = Prepared(_COLUMNS)
_OF_HOSTS = Prepared(_COLUMNS.where(one_of(_ROW.host, "hosts")))


def read_placements(
    connection: Connection, hosts: Collection[str] | None = None
) -> Iterator[NumaHold]:
    """Give what is held on hosts, on all of them if none is named."""
    if hosts is None:
        rows = _ALL.rows(connection)
    elif hosts:
        rows = _OF_HOSTS.rows(connection, hosts=sorted(hosts))
    else:
        return
    for uid, generation, host, text in rows:
        yield NumaHold(uid, generation, host, read_record(orjson.loads(text)))


def list_placements(
    session: Session, *, hosts: Collection[str] | None
) -> list[NumaHold]:
    """List what is held on hosts, on all of them if none is named."""
    return list(read_placements(session.connection(), hosts))


def build_rows(holds: Iterable[NumaHold]) -> list[dict[str, Any]]:
    """Return the rows of what is held."""
    return [
        {
            "server_uid": hold.server_uid,
            "placement_generation": hold.placement_generation,
            "host": hold.host,
            "placement": build_record(hold.placement),
        }
        for hold in holds
    ]


def find_placement(record: Mapping[str, Any] | None) -> NumaPlacement | None:
    """Return what a column holds that may be empty."""
    return None if record is None else read_record(record)


def delete_placement(
    session: Session, server_uid: str, placement_generation: int
) -> None:
    """Remove what one placement holds."""
    session.execute(
        delete(_ROW).where(
            _ROW.server_uid == server_uid,
            _ROW.placement_generation == placement_generation,
        ),
        execution_options={"synchronize_session": False},
    )
