"""The API database's store."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from kilonova_operator.domain.epoch import Term
from kilonova_operator.storage.sql.api.deletion_part import DeletionPart
from kilonova_operator.storage.sql.api.groups_part import GroupsPart
from kilonova_operator.storage.sql.api.hosts_part import HostsPart
from kilonova_operator.storage.sql.api.networks_part import NetworksPart
from kilonova_operator.storage.sql.api.placement_part import PlacementPart
from kilonova_operator.storage.sql.api.providers_part import ProvidersPart
from kilonova_operator.storage.sql.api.schema import ApiEpoch
from kilonova_operator.storage.sql.api.usages_part import UsagesPart
from kilonova_operator.storage.sql.parts import EpochPart


class SqlApiStore(
    PlacementPart,
    DeletionPart,
    UsagesPart,
    GroupsPart,
    NetworksPart,
    ProvidersPart,
    HostsPart,
    EpochPart,
):
    """``services.stores.ApiStore`` in SQL, a subject a part."""

    async def note_store_version(self, term: Term, version: int) -> None:
        """Note the resourceVersion that the API server's store has reached."""

        def note(session: Session) -> None:
            session.execute(update(ApiEpoch).values(store_version=version))

        await self._database.write(term, note, while_frozen=True)

    async def read_store_version(self) -> int:
        """Read the resourceVersion noted last."""

        def read(session: Session) -> int:
            return session.scalar(select(ApiEpoch.store_version)) or 0

        return await self._database.read(read)
