from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from geometry.errors import InputError
from twin.live.database.connection import Database
from twin.live.database.schema import frames, metadata


def test_migrations_make_what_the_schema_says(database):
    with database.write("test") as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_upgrading_twice_changes_nothing(database):
    row = {"twin": "t", "cameras": "all", "camera": "c", "time": 1.5, "received": 2.0, "boxes": 0, "content": "{}"}
    with database.write("test") as connection:
        connection.execute(sa.insert(frames), [row])
    database.upgrade()
    with database.read() as connection:
        assert connection.execute(sa.select(frames.c.time)).scalars().all() == [1.5]


def test_a_newer_database_is_refused(database):
    with database.write("test") as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match="newer"):
        database.upgrade()


def test_what_fails_leaves_nothing(database):
    row = {"twin": "t", "cameras": "all", "camera": "c", "time": 1.0, "received": 2.0, "boxes": 0, "content": "{}"}

    def twice():
        with database.write("test") as connection:
            connection.execute(sa.insert(frames), [row])
            connection.execute(sa.insert(frames), [row])

    with pytest.raises(sa.exc.IntegrityError):
        twice()
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(frames)).scalar() == 0


@pytest.mark.parametrize("url", ["not a url", "mysql://host/name", "sqlite+nothing"])
def test_other_databases_are_refused(url):
    with pytest.raises(InputError):
        Database(url)


def test_a_password_is_not_shown():
    assert "secret" not in str(Database("postgresql://me:secret@host/name"))


def test_sqlite_is_safe_against_a_loss_of_power(tmp_path: Path):
    database = Database(f"sqlite:///{quote(str(tmp_path / 'a b%41.db'))}")
    database.upgrade()
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    database.close()
    assert (tmp_path / "a b%41.db").exists()
