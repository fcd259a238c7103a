"""Opening the database, bringing its tables up to date, and transactions that write one after the other."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

from geometry.errors import InputError, MissingExtraError

try:
    import sqlalchemy as sa
    from alembic import command, util
    from alembic.config import Config
    from sqlalchemy.dialects import postgresql, sqlite
except ImportError as error:
    raise MissingExtraError(error.name or "sqlalchemy", "pip install 'tiepoint[serve]'") from error

logger = logging.getLogger(__name__)

BUSY_S = 30.0
"""How long a writer waits for another one's transaction."""


class Database:
    """A database by URL: ``sqlite:///FILE`` or ``postgresql+psycopg://...``.

    ``write`` transactions of one ``name`` run one after the other, in whatever process, so that sequence numbers become
    visible in their order; that is what readers resume by.
    """

    def __init__(self, url: str, *, waits_for_disk: bool = True) -> None:
        """Open; nothing is read yet. Raises ``InputError`` for a URL that is none or of another database.

        waits_for_disk: False for what can be made again from what is in the database. A loss of power may take the last
        of it, in order and as whole transactions, and never what was written with True before it.
        """
        try:
            parsed = sa.make_url(url)
        except sa.exc.ArgumentError as error:
            remedy = "As in sqlite:///state.db or postgresql://user@host/name."
            raise InputError("the database's URL can't be read", remedy=remedy) from error
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise InputError(f"'{backend}' databases are not supported", remedy="Use SQLite or PostgreSQL.")
        if backend == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url, self.is_sqlite = parsed, backend == "sqlite"
        if self.is_sqlite:
            self.engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_S, "check_same_thread": False})
            set_up = partial(_set_up_sqlite, "FULL" if waits_for_disk else "NORMAL")
            sa.event.listen(self.engine, "connect", set_up)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            options = {} if waits_for_disk else {"options": "-c synchronous_commit=off"}
            self.engine = sa.create_engine(
                parsed, pool_pre_ping=True, pool_size=10, max_overflow=20, pool_timeout=10, connect_args=options
            )

    def upgrade(self) -> None:
        """Bring the tables up to date. Raises ``InputError`` for a database that a newer Tiepoint made."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        with self.write("migrations") as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except util.CommandError as error:
                what = f"its tables can't be brought up to date ({error})"
                raise InputError(what, where=str(self), remedy="A newer Tiepoint made it: update Tiepoint.") from error

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection whose answers are of one moment."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, name: str) -> Iterator[sa.Connection]:
        """Give a connection to write with; what was written is durable when this returns, or there is nothing of it."""
        with self.engine.connect() as plain:
            connection = plain.execution_options(writes=True)
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(crc32(name.encode()))))
                yield connection

    def insert(self, table: sa.Table) -> Any:
        """Return an insert that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)


def _set_up_sqlite(synchronous: str, connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says
    for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}", f"busy_timeout = {int(1000 * BUSY_S)}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Take the write lock at once where something will be written: a reader that becomes a writer may be refused."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
