"""Which rows changed since somebody last looked."""

import numpy as np
import numpy.typing as npt

_MOST = 65536


class ChangeLog:
    """Rows in the order of their changes; readers keep their place in it.

    Bounded: a reader that was away for too long is told to look at everything.
    """

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._first = 0
        """Place of the first row that is kept; older readers look at everything."""

    @property
    def place(self) -> int:
        """Where a reader stands that has seen all."""
        return self._first + len(self._rows)

    def note(self, row: int) -> None:
        """Note that a row changed."""
        self._rows.append(row)
        if len(self._rows) > _MOST:
            kept = self._rows[_MOST // 2 :]
            self._first += len(self._rows) - len(kept)
            self._rows = kept

    def note_everything(self) -> None:
        """Note that rows were added, moved or removed, or what all depend on."""
        self._first = self.place + 1
        self._rows = []

    def list_since(self, place: int) -> npt.NDArray[np.int64] | None:
        """Return each row that changed since, once; None: look at everything."""
        if place < self._first:
            return None
        return np.array(sorted(set(self._rows[place - self._first :])), np.int64)
