"""One file a step; ``python -m alembic`` is not needed: ``Database.upgrade`` runs them."""
