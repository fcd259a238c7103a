"""tiepoint key: who may ask the service, and for what."""

from pathlib import Path
from typing import Any

import click

DATA = click.option(
    "--data",
    default=Path("tiepoint-data"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The service's folder.",
)
DATABASE = click.option("--database", envvar="TIEPOINT_DATABASE", help="postgresql://... instead of SQLite in --data.")


@click.group("key")
def command() -> None:
    """Make, list and revoke keys of the HTTP service.

    Example: tiepoint key add console --scope query
    """


@command.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["query", "ingest", "admin"]),
    help="What it may do.",
)
@DATA
@DATABASE
def add(name: str, scopes: tuple[str, ...], data: Path, database: str | None) -> None:
    """Make a key and print it, once: only a hash is kept.

    Example: tiepoint key add console --scope query
    """
    click.echo(_keys(data, database).make(name, scopes))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a result for a program to read.")
@DATA
@DATABASE
def list_(as_json: bool, data: Path, database: str | None) -> None:
    """List keys, revoked ones included.

    Example: tiepoint key list
    """
    from twin.cli import echo_json

    rows = _keys(data, database).rows()
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['name']}  {row['scopes']}{'  revoked' if row['revoked'] else ''}")


@command.command("revoke")
@click.argument("key_id")
@DATA
@DATABASE
def revoke(key_id: str, data: Path, database: str | None) -> None:
    """Revoke a key by its id, as listed; a running service knows within seconds.

    Example: tiepoint key revoke 0123456789ab
    """
    _keys(data, database).revoke(key_id)


def _keys(data: Path, database: str | None) -> Any:
    from twin.service.openapi import require_extra

    require_extra()
    from twin.live.database.connection import Database
    from twin.service.keys import Keys
    from twin.service.settings import Settings

    data.mkdir(parents=True, exist_ok=True)
    opened = Database(Settings(twins=(), data=data, database=database).database_url)
    opened.upgrade()
    return Keys(opened)
