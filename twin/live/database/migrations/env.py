"""Run by Alembic: the migrations, in the transaction that ``Database.upgrade`` opened."""

from alembic import context

from twin.live.database.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
