"""Server groups for coroutines."""

from collections.abc import Sequence
from functools import partial

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.groups import GroupMember
from kilonova_operator.services.stores import PAGE_ROWS
from kilonova_operator.storage.sql.api import groups
from kilonova_operator.storage.sql.parts import StorePart


class GroupsPart(StorePart):
    """Which members hold claims, and where."""

    async def list_group_members(self, group_uid: str) -> Sequence[GroupMember]:
        """List a group's members."""
        return await self._database.read(
            partial(groups.list_group_members, group_uid=group_uid)
        )

    async def list_members(
        self, *, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[GroupMember]:
        """List members of all groups."""
        return await self._database.read(
            partial(groups.list_members, after=after, limit=limit)
        )

    async def list_groups(
        self, *, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[str]:
        """List groups by uid."""
        return await self._database.read(
            partial(groups.list_groups, after=after, limit=limit)
        )

    async def forget_group(self, term: Term, group_uid: str) -> bool:
        """Remove a group whose object is gone."""
        return await self._database.write(
            term, partial(groups.forget_group, group_uid=group_uid), while_frozen=True
        )
