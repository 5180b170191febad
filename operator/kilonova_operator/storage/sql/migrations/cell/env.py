"""Alembic's entry for this chain."""

from kilonova_operator.storage.sql.cell.schema import CellBase
from kilonova_operator.storage.sql.migrations.environment import (
    run_on_given_connection,
)

run_on_given_connection(CellBase.metadata)
