"""The embedded store: a folder with a folder a collection, for one process at a time."""

import json
import os
import shutil
from pathlib import Path

from geometry.errors import InputError
from geometry.tables import write_atomic
from retrieval.stores.embedded_collection import EmbeddedCollection
from retrieval.stores.exact import require_alias
from retrieval.stores.locks import FolderLock
from retrieval.stores.schema import Schema
from retrieval.stores.store import Capabilities, StoreError, resolve_name

ALIASES = "aliases.json"
NEW, OLD = ".new-", ".old-"


class EmbeddedStore:
    """Collections in a folder; nothing to install and no server."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Open the store of a folder, or make it. ``InputError`` where another process has it open."""
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"can't make the store's folder: {error.strerror}", where=str(folder)) from error
        self._lock = FolderLock(self.folder)
        self._open: dict[str, EmbeddedCollection] = {}
        for unfinished in [*self.folder.glob(f"{NEW}*"), *self.folder.glob(f"{OLD}*")]:
            shutil.rmtree(unfinished)

    @property
    def capabilities(self) -> Capabilities:
        """What to expect."""
        nodes = frozenset({"Eq", "In", "Range", "IdIn", "InBox", "InPolygon", "WithinRadius", "Not", "And", "Or"})
        return Capabilities(
            engine="embedded",
            exact_below=50_000,
            consistency="strong",
            durable="on disk when acknowledged",
            pushed_down=nodes,
            notes=("one process at a time",),
        )

    def create(self, schema: Schema) -> EmbeddedCollection:
        """Make a collection, or return the one of that name if its schema is the same."""
        if schema.name in self.aliases():
            raise InputError(f"'{schema.name}' is an alias", remedy="Take another name.")
        if schema.name in self.names():
            found = self.open(schema.name)
            found.schema.require_same(schema)
            return found
        made = self.folder / f"{NEW}{schema.name}"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        EmbeddedCollection(made, schema).close()
        os.replace(made, self.folder / schema.name)
        return self.open(schema.name)

    def open(self, name: str) -> EmbeddedCollection:
        """Return a collection by its name or alias."""
        name = resolve_name(name, self.names(), self.aliases())
        if name not in self._open:
            self._open[name] = EmbeddedCollection(self.folder / name)
        return self._open[name]

    def names(self) -> tuple[str, ...]:
        """Return the names of all collections."""
        return tuple(sorted(f.name for f in self.folder.iterdir() if f.is_dir() and not f.name.startswith(".")))

    def aliases(self) -> dict[str, str]:
        """Return which collection each alias stands for."""
        try:
            content = json.loads((self.folder / ALIASES).read_bytes())
            return {str(alias): str(name) for alias, name in content.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError) as error:
            raise StoreError(f"can't be read ({error})", where=str(self.folder / ALIASES)) from error

    def alias(self, alias: str, name: str) -> None:
        """Let an alias stand for a collection from now on, in one step."""
        require_alias(alias, name, self.names())
        write_atomic(self.folder / ALIASES, json.dumps(self.aliases() | {alias: name}).encode())

    def drop(self, name: str) -> None:
        """Delete a collection with its files, and its aliases."""
        name = resolve_name(name, self.names(), {})
        kept = {alias: target for alias, target in self.aliases().items() if target != name}
        if name in self._open:
            self._open.pop(name).close()
        write_atomic(self.folder / ALIASES, json.dumps(kept).encode())
        gone = self.folder / f"{OLD}{name}"
        os.replace(self.folder / name, gone)
        shutil.rmtree(gone)

    def close(self) -> None:
        """Close all collections and let other processes have the folder."""
        for collection in self._open.values():
            collection.close()
        self._open.clear()
        self._lock.release()
