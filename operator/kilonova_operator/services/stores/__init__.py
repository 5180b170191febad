"""The databases as services see them.

Each store is a facade over one database. Every call runs in that database's
bounded executor, is repeated with backoff where the database asks for it, and
ends in ``DatabaseUnavailable`` where it does not answer. Every writing call
takes the ``Term`` of its role: with a stale one it raises ``StaleTerm`` and has
written nothing. Calls marked "frozen" raise ``PlacementFrozen`` while the
database is frozen.
"""

from kilonova_operator.services.stores.api import ApiStore
from kilonova_operator.services.stores.cell import CellStore
from kilonova_operator.services.stores.epoch import PAGE_ROWS, EpochStore

__all__ = ["PAGE_ROWS", "ApiStore", "CellStore", "EpochStore"]
