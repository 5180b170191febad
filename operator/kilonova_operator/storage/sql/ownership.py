"""The installation that a database belongs to, as tools see it. Blocking."""

from sqlalchemy import Engine, inspect, text

from kilonova_operator.domain.epoch import Owner
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.refusals import DatabaseOwnedByOther
from kilonova_operator.storage.sql.engine import WRITER
from kilonova_operator.storage.sql.epoch import describe_owner


class NotConfirmed(KilonovaError):
    """What the command would do was not confirmed."""

    def __init__(self, database: str, owner: Owner) -> None:
        super().__init__(
            f"database {database} belongs to {describe_owner(owner)}. Two "
            "installations on one database give one address to two guests. If the "
            "old one is gone for good, run the command again with --yes"
        )


def find_owner(engine: Engine) -> Owner | None:
    """Return who owns the database; None if nobody does or it is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("epoch"):
            return None
        row = connection.execute(
            text("SELECT owner_cluster_uid, owner_release FROM epoch")
        ).first()
    if row is None or not (row[0] or row[1]):
        return None
    return Owner(cluster_uid=row[0], release=row[1])


def check_release(database: str, engine: Engine, *, release: str) -> None:
    """Refuse to touch another release's schema.

    The cluster is not asked for its uid here, so another cluster's release of
    the same name is only found when the operator takes its term.

    Raises:
        DatabaseOwnedByOther: the database belongs to another release.
    """
    owner = find_owner(engine)
    if owner is not None and owner.release != release:
        raise DatabaseOwnedByOther(
            database, describe_owner(owner), f"release {release}"
        )


def disown(database: str, engine: Engine, *, confirmed: bool) -> str:
    """Take the owner out of the epoch row, and end its term.

    Raises:
        NotConfirmed: a person has not said that the owner is gone.
    """
    owner = find_owner(engine)
    if owner is None:
        return "nobody"
    if not confirmed:
        raise NotConfirmed(database, owner)
    writer = engine.execution_options(**{WRITER: True})
    with writer.connect() as connection:
        connection.execute(
            text(
                "UPDATE epoch SET owner_cluster_uid = '', owner_release = '', "
                "term = term + 1, nonce = ''"
            )
        )
        connection.commit()
    return describe_owner(owner)
