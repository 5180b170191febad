"""What both chains' ``env.py`` do: run on the connection they are handed."""

from alembic import context
from sqlalchemy import Connection, MetaData


def run_on_given_connection(metadata: MetaData) -> None:
    """Run the revisions that were asked for."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # SQLite cannot alter most of a table: it is written anew.
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
