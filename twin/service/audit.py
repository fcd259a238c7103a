"""Who changed what, and who was refused: kept in the database, and said in the log."""

import logging
import time
from typing import Any

import sqlalchemy as sa

from twin.live.database.connection import Database
from twin.live.database.schema import audit
from twin.service.keys import Principal
from twin.service.logs import request_id

logger = logging.getLogger(__name__)


class Audit:
    """Writes down what administrators and strangers do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, action: str, subject: str, outcome: str, *, client: str, principal: Principal | None) -> None:
        """Write one line."""
        row = {
            "time": time.time(),
            "key": None if principal is None else principal.id,
            "client": client[:100],
            "request": request_id.get()[:64],
            "action": action[:100],
            "subject": subject[:300],
            "outcome": outcome[:300],
        }
        with self._database.write("audit") as connection:
            connection.execute(sa.insert(audit).values(**row))
        logger.info("audit: %s %s: %s", action, subject, outcome, extra={"fields": {"audit": row}})

    def rows(self, before: int | None, limit: int) -> list[dict[str, Any]]:
        """Return the last lines before a number, newest first."""
        query = sa.select(audit).order_by(audit.c.seq.desc()).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(query if before is None else query.where(audit.c.seq < before))
            return [dict(row._mapping) for row in found]
