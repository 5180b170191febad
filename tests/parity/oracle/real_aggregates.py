"""Nova's API database on SQLite in memory, for what pre-filters read of aggregates."""

from typing import Any

from cloud_state import uuid_of
from nova import conf, context, objects
from nova.db.api import api as api_db
from nova.db.api import models
from sqlalchemy import delete, insert


class RealAggregates:
    """Aggregates and their metadata."""

    def __init__(self) -> None:
        conf.CONF.set_override("connection", "sqlite://", group="api_database")
        api_db.configure(conf.CONF)
        self._engine = api_db.get_engine()
        models.BASE.metadata.create_all(self._engine)

    def fill(self, aggregates: list[dict[str, Any]]) -> list[str]:
        """Replace all aggregates; returns their uuids."""
        uuids = [uuid_of(aggregate["name"]) for aggregate in aggregates]
        named = [
            {"id": number, "uuid": uuid, "name": aggregate["name"]}
            for number, (uuid, aggregate) in enumerate(
                zip(uuids, aggregates, strict=True), 1
            )
        ]
        metadata = [
            {"aggregate_id": number, "key": key, "value": value}
            for number, aggregate in enumerate(aggregates, 1)
            for key, value in aggregate["metadata"].items()
        ]
        with self._engine.begin() as connection:
            connection.execute(delete(models.AggregateMetadata))
            connection.execute(delete(models.Aggregate))
            if named:
                connection.execute(insert(models.Aggregate), named)
            if metadata:
                connection.execute(insert(models.AggregateMetadata), metadata)
        return uuids

    def list_objects(self) -> list[objects.Aggregate]:
        """Return all aggregates as Nova's scheduler has them, in their order."""
        found = objects.AggregateList.get_all(context.get_admin_context())
        return sorted(found, key=lambda aggregate: aggregate.id)
