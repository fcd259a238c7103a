"""The command line: verbs stay thin over library functions of the same name and import them only when called."""

import importlib
import sys
from typing import Any

import click

VERBS = (
    "demo",
    "scene",
    "map",
    "localize",
    "calibrate",
    "cameras",
    "track",
    "index",
    "search",
    "evaluate",
    "view",
    "export",
    "serve",
    "key",
    "check",
    "bench",
)


class LazyVerbs(click.Group):
    """Loads the module of a verb only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of a first visit."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb's command, or None for an unknown one."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"twin.commands.{cmd_name}").command
        return command


@click.group(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="tiepoint")
@click.option("-v", "--verbose", is_flag=True, help="Say more of what goes on.")
def tiepoint(verbose: bool) -> None:
    """Where things are inside a facility: 3D twins, localization and tracking with honest error bars."""
    import logging
    import os

    os.environ.setdefault("GLOG_minloglevel", "1" if verbose else "2")  # COLMAP's own log, read when it is imported
    # Matrices are small here: more threads wait, spinning, longer than they work, and take the cores from other work.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Exit 0: done; 1: the work failed, with a remedy; 2: the command was wrong."""
    try:
        tiepoint.main(arguments, prog_name="tiepoint", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; finished stages are kept for a rerun", err=True)
        sys.exit(1)
    except Exception as error:
        from geometry.errors import TiepointError

        if not isinstance(error, TiepointError | OSError):
            raise
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


def echo_json(content: Any) -> None:
    """Print a result for a program to read."""
    import json

    click.echo(json.dumps(content, indent=2))
