"""API keys: 256 random bits each, of which only a SHA-256 is kept; looked up by id, compared in constant time.

A slow hash such as Argon2 protects what people choose; what is drawn from 2^256 can't be guessed however fast the hash.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from geometry.errors import InputError, nearest_known
from twin.live.database.connection import Database
from twin.live.database.schema import keys

SCOPES = ("query", "ingest", "admin")
PATTERN = re.compile(r"tp_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
REFRESH_S = 2.0
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who asks: a key's id and what it may do; without an id it is whoever is on this machine."""

    id: str | None
    name: str
    scopes: frozenset[str]


LOCAL = Principal(id=None, name="local", scopes=frozenset(SCOPES))


class Keys:
    """The keys of a database; what is revoked elsewhere is known within ``REFRESH_S``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[str, Principal]] = {}
        self._read_at = float("-inf")

    def make(self, name: str, scopes: Iterable[str]) -> str:
        """Make a key and return it; it can't be shown again."""
        asked = sorted(set(scopes), key=str)
        for scope in asked:
            if scope not in SCOPES:
                raise InputError(f"there is no scope '{scope}'", remedy=nearest_known(scope, SCOPES))
        if not asked or not re.fullmatch(r"[^\x00-\x1f]{1,100}", name):
            raise InputError("a key has a name and a scope", remedy=f"Scopes: {', '.join(SCOPES)}.")
        id = secrets.token_hex(6)
        key = f"tp_{id}_{secrets.token_urlsafe(32)}"
        row = {"id": id, "name": name, "digest": _digest(key), "scopes": " ".join(asked), "created": time.time()}
        with self._database.write("keys") as connection:
            connection.execute(sa.insert(keys).values(**row))
        self._read_at = float("-inf")
        return key

    def revoke(self, id: str) -> None:
        """Revoke a key for good. Raises ``InputError`` where there is none of that id."""
        with self._database.write("keys") as connection:
            live = (keys.c.id == id) & keys.c.revoked.is_(None)
            done = connection.execute(sa.update(keys).where(live).values(revoked=time.time()))
        if done.rowcount == 0:
            raise InputError(f"there is no key '{id}' that could be revoked")
        self._read_at = float("-inf")

    def rows(self) -> list[dict[str, object]]:
        """Return what is known of all keys, revoked ones included; not the keys."""
        columns = (keys.c.id, keys.c.name, keys.c.scopes, keys.c.created, keys.c.revoked)
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(sa.select(*columns).order_by(keys.c.created))]

    @property
    def are_needed(self) -> bool:
        """Whether any key was ever made: from then on, one is needed. Revoking the last one opens nothing."""
        self._refresh()
        return self._any

    def principal(self, token: str) -> Principal | None:
        """Return whose key this is, None for nobody's."""
        self._refresh()
        match = PATTERN.fullmatch(token)
        digest, principal = self._known.get(match[1], (_NOBODY, None)) if match else (_NOBODY, None)
        return principal if hmac.compare_digest(_digest(token), digest) else None

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at < REFRESH_S:
            return
        with self._database.read() as connection:
            found = connection.execute(sa.select(keys)).all()
        self._any = bool(found)
        self._known = {
            row.id: (row.digest, Principal(id=row.id, name=row.name, scopes=frozenset(row.scopes.split())))
            for row in found
            if row.revoked is None
        }
        self._read_at = time.monotonic()

    _any = True


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
