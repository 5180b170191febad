"""Cells and the hosts in them. Blocking."""

from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from kilonova_api.names import CELL0, CELL0_UUID
from kilonova_operator.domain.placement import CellMapping, HostMapping
from kilonova_operator.domain.refusals import HostInOtherCell
from kilonova_operator.storage.sql.api.providers import find_provider, has_claims
from kilonova_operator.storage.sql.api.schema import CellMappingRow, HostMappingRow


def find_cell(session: Session, name: str) -> CellMapping | None:
    """Return a cell's mapping."""
    row = session.get(CellMappingRow, name)
    return None if row is None else _cell_of(row)


def ensure_cell(
    session: Session, name: str, *, enabled: bool, database_id: str
) -> CellMapping:
    """Make or update a cell's mapping."""
    row = session.get(CellMappingRow, name)
    if row is None:
        uuid = CELL0_UUID if name == CELL0 else str(uuid4())
        row = CellMappingRow(name=name, uuid=uuid)
        session.add(row)
    row.enabled, row.database_id = enabled, database_id
    session.flush()
    return _cell_of(row)


def list_cells(session: Session) -> list[CellMapping]:
    """List all cells by name."""
    query = select(CellMappingRow).order_by(CellMappingRow.name)
    return [_cell_of(row) for row in session.scalars(query)]


def find_host_cell(session: Session, host: str) -> str | None:
    """Return the cell of a host."""
    row = session.get(HostMappingRow, host)
    return None if row is None else row.cell


def ensure_host(session: Session, host: str, cell: str) -> None:
    """Put a host into a cell.

    Raises:
        HostInOtherCell: it holds claims in another one.
    """
    row = session.get(HostMappingRow, host)
    if row is None:
        session.add(HostMappingRow(host=host, cell=cell))
    elif row.cell != cell:
        provider = find_provider(session, host)
        if provider is not None and has_claims(session, provider.id):
            raise HostInOtherCell(host, row.cell, cell)
        row.cell = cell
    session.flush()


def list_hosts(session: Session) -> list[HostMapping]:
    """List all hosts by name."""
    query = select(HostMappingRow).order_by(HostMappingRow.host)
    return [HostMapping(row.host, row.cell) for row in session.scalars(query)]


def _cell_of(row: CellMappingRow) -> CellMapping:
    return CellMapping(
        name=row.name,
        uuid=row.uuid,
        enabled=row.enabled,
        database_id=row.database_id,
    )
