"""Alembic's way in. The caller holds the connection, the lock and the transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
