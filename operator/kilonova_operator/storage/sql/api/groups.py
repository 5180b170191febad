"""Reading and forgetting server groups. Blocking."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from kilonova_operator.domain.groups import GroupMember
from kilonova_operator.storage.sql.api.schema import GroupMemberRow, ServerGroupRow


def list_group_members(session: Session, group_uid: str) -> list[GroupMember]:
    """List a group's members by Server uid, each placement that holds a claim."""
    row = GroupMemberRow
    found = session.scalars(
        select(row)
        .where(row.group_uid == group_uid)
        .order_by(row.server_uid, row.placement_generation)
    )
    return [_member_of(member) for member in found]


def list_members(session: Session, *, after: str, limit: int) -> list[GroupMember]:
    """List members of all groups: the placements of ``limit`` Servers after one."""
    row = GroupMemberRow
    uids = session.scalars(
        select(row.server_uid)
        .where(row.server_uid > after)
        .distinct()
        .order_by(row.server_uid)
        .limit(limit)
    ).all()
    if not uids:
        return []
    found = session.scalars(
        select(row)
        .where(row.server_uid > after, row.server_uid <= uids[-1])
        .order_by(row.server_uid, row.placement_generation)
    )
    return [_member_of(member) for member in found]


def list_groups(session: Session, *, after: str, limit: int) -> list[str]:
    """List uids of groups, those after one."""
    uid = ServerGroupRow.group_uid
    return list(
        session.scalars(select(uid).where(uid > after).order_by(uid).limit(limit))
    )


def forget_group(session: Session, group_uid: str) -> bool:
    """Remove a group; False while a member holds a claim."""
    members = select(GroupMemberRow.server_uid).where(
        GroupMemberRow.group_uid == group_uid
    )
    if session.scalars(members.limit(1)).first() is not None:
        return False
    session.execute(
        delete(ServerGroupRow).where(ServerGroupRow.group_uid == group_uid),
        execution_options={"synchronize_session": False},
    )
    return True


def _member_of(row: GroupMemberRow) -> GroupMember:
    return GroupMember(row.group_uid, row.server_uid, row.host, row.zone)
