"""Server groups in the API database."""

from collections.abc import Sequence
from typing import Protocol

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.groups import GroupMember
from kilonova_operator.services.stores.epoch import PAGE_ROWS


class GroupsStore(Protocol):
    """Which members of groups hold claims, and where."""

    async def list_group_members(self, group_uid: str) -> Sequence[GroupMember]:
        """List a group's members by Server uid, each placement that holds a claim.

        A member that moves is listed twice until its old guest is gone.
        """
        ...

    async def list_members(
        self, *, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[GroupMember]:
        """List members of all groups, the placements of ``limit`` Servers a page.

        The Servers come by uid, those after ``after``.
        """
        ...

    async def list_groups(
        self, *, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[str]:
        """List one page of groups by uid, those after ``after``."""
        ...

    async def forget_group(self, term: Term, group_uid: str) -> bool:
        """Remove a group whose object is gone; False while members hold claims."""
        ...
