"""The seam: what every engine offers, and what it says about an answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError, TiepointError
from retrieval.stores.filters import Filter
from retrieval.stores.rows import Rows, Vectors
from retrieval.stores.schema import Schema

Consistency = Literal["eventual", "session", "strong"]
MAX_K = 10_000
"""Of the engines' own limits (10,000 and 16,384) the lower one."""


class StoreError(TiepointError):
    """An engine failed or couldn't be reached; what was acknowledged before stays."""


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How to search.

    consistency: "strong" sees every write acknowledged to anybody, "session" those of this collection object,
        "eventual" whatever the engine has at hand; the embedded engine is always strong
    effort: factor on the engine's own search width (probes, ef); more is slower and finds more
    fields: also return rows, with these fields; None returns none
    timeout_s: give up after this long, where the engine is remote
    """

    consistency: Consistency = "strong"
    effort: float = 1.0
    fields: tuple[str, ...] | None = None
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if self.consistency not in ("eventual", "session", "strong"):
            raise InputError(f"no consistency is '{self.consistency}'", remedy="Known: eventual, session, strong.")
        if not (0 < self.effort < 1e3 and self.timeout_s > 0):
            raise InputError(f"effort {self.effort} or timeout {self.timeout_s} s out of bounds")


@dataclass(frozen=True, kw_only=True)
class Hits:
    """The answer to one query, best first, equal scores in no stated order.

    scores: (n,) float32, raw: the inner product, the cosine, or the squared distance
    exact: no approximation was made; exhausted: fewer than k, and there are no others
    partial: some part of the engine didn't answer, so that better ones may be missing
    rows: what was asked for by ``SearchOptions.fields``
    """

    ids: tuple[str, ...]
    scores: NDArray[np.float32]
    exact: bool
    exhausted: bool
    partial: bool = False
    rows: Rows | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Failure:
    """A row that was not written, and why; ``retryable`` where the engine was only busy."""

    id: str
    reason: str
    retryable: bool


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a bulk write did: rows written (durably, as the engine promises) and those refused, with their reasons."""

    count: int
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some rows of a scan, and where the next page begins; None after the last."""

    rows: Rows
    token: str | None


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What to expect of an engine.

    consistency: the strongest it has; pushed_down: names of the filters it evaluates itself, others are evaluated
    by us on what it returned, widened until k are found
    """

    engine: str
    exact_below: int
    consistency: Consistency
    durable: str
    pushed_down: frozenset[str]
    max_k: int = MAX_K
    remote: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The state of a collection; ``indexed`` are the rows an approximate index covers."""

    rows: int
    indexed: int
    bytes: int | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Collection(Protocol):
    """Rows with a vector each. ``InputError`` for what makes no sense, ``StoreError`` where the engine fails."""

    @property
    def schema(self) -> Schema:
        """What the collection holds."""

    def upsert(self, rows: Rows) -> Written:
        """Write rows whole, each in place of the one with its id; what is acknowledged stays."""

    def delete(self, filter: Filter) -> int:
        """Delete the rows that pass and return their number; ``IdIn`` deletes by id."""

    def count(self, filter: Filter | None = None) -> int:
        """Return how many rows pass, all writes counted."""

    def search(
        self, vectors: Vectors, k: int, filter: Filter | None = None, options: SearchOptions | None = None
    ) -> list[Hits]:
        """Return for each query (Q, D) the ``k`` best rows that pass."""

    def scan(
        self, filter: Filter | None = None, *, size: int = 1000, token: str | None = None, vectors: bool = False
    ) -> Page:
        """Return a page of the rows that pass, in an order that stays while nothing is written."""

    def build(self) -> None:
        """Wait until what was written is indexed and compact."""

    def statistics(self) -> Statistics:
        """Return the state."""


class Store(Protocol):
    """An engine with its collections."""

    @property
    def capabilities(self) -> Capabilities:
        """What to expect."""

    def create(self, schema: Schema) -> Collection:
        """Make a collection, or return the one of that name if its schema is the same; ``InputError`` if it isn't."""

    def open(self, name: str) -> Collection:
        """Return a collection by its name or alias; ``InputError`` names the nearest known."""

    def names(self) -> tuple[str, ...]:
        """Return the names of all collections."""

    def aliases(self) -> dict[str, str]:
        """Return which collection each alias stands for."""

    def alias(self, alias: str, name: str) -> None:
        """Let an alias stand for a collection from now on, in one step, so that readers never find none."""

    def drop(self, name: str) -> None:
        """Delete a collection with all that belongs to it, and its aliases."""

    def close(self) -> None:
        """Let go of files and connections."""


def pages(
    collection: Collection, filter: Filter | None = None, *, size: int = 1000, vectors: bool = True
) -> Iterator[Rows]:
    """Yield all rows that pass, page by page."""
    token: str | None = None
    while True:
        page = collection.scan(filter, size=size, token=token, vectors=vectors)
        if len(page.rows):
            yield page.rows
        token = page.token
        if token is None:
            return


def require_k(k: int) -> None:
    """Raise ``InputError`` unless engines can return ``k``."""
    if not 1 <= k <= MAX_K:
        raise InputError(f"k must be 1 to {MAX_K}, got {k}", remedy="Scan instead of searching so deep.")


def resolve_name(name: str, names: Sequence[str], aliases: dict[str, str]) -> str:
    """Return the collection that a name or alias stands for; ``InputError`` names the nearest known."""
    from geometry.errors import nearest_known

    if name in names:
        return name
    if name in aliases:
        return aliases[name]
    known = [*names, *aliases]
    remedy = nearest_known(name, known) if known else "Make one first: tiepoint index."
    raise InputError(f"there is no collection '{name}'", remedy=remedy)
