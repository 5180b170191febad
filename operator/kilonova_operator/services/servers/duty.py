"""The right to write in a role, asked for right before each write."""

from collections.abc import Callable
from dataclasses import dataclass

from kilonova_operator.domain.epoch import Term


@dataclass(frozen=True, slots=True)
class Duty:
    """One role of this process.

    ``check`` raises LeaseLost unless the role certainly is ours; ``check_frozen``
    raises PlacementFrozen while a store that went back is being put right.
    """

    check: Callable[[], None]
    check_frozen: Callable[[], None]
    term: Callable[[], Term]

    def check_changes(self) -> None:
        """Ask before anything that gives, takes, ends or starts."""
        self.check()
        self.check_frozen()
