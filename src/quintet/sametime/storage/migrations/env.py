"""Alembic's way in. The caller holds the connection, the lock and the transaction."""

from alembic import context

from quintet.sametime.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
