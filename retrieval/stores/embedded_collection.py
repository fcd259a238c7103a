"""A collection in a folder of its own, with nothing to install: rows in SQLite, searched by FAISS.

A filter first becomes the set of rows that pass. Up to ``exact_up_to`` of them are scanned exactly; above that the
index proposes candidates among them, visiting more lists the fewer pass, which are then scored exactly. Rows that the
index doesn't have yet are scanned, and a background thread moves them into it.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread, local
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.stores.candidates import CandidateIndex, build_candidates, depth_for
from retrieval.stores.checkpoint import write_checkpoint
from retrieval.stores.database import Database
from retrieval.stores.exact import scores_of_rows, top_of_rows
from retrieval.stores.filters import Filter, Mask, check, matches
from retrieval.stores.locks import ReadWriteLock
from retrieval.stores.recovery import recovered
from retrieval.stores.rows import Rows, Vectors, checked_vectors
from retrieval.stores.schema import Schema
from retrieval.stores.store import Hits, Page, SearchOptions, Statistics, Written, require_k

LOG = logging.getLogger(__name__)
RowNumbers = NDArray[np.int64]

ADDED_AT_ONCE = 256
"""Rows that enter the index while searches wait, some milliseconds."""
WAITING_ROWS = 4096
"""Rows outside of the index that are worth moving into it."""
GROWTH_BEFORE_TRAINING = 3.0
"""The index is trained anew when there are this many times the rows it was trained on."""
CHECKPOINT_ROWS = 200_000
"""Rows written since the last checkpoint that are worth another one; after a crash they are read row by row."""
FILTERED_EFFORT = 1.5
"""Probes beyond those in proportion to the rows left out: the best of a part lie further off, in more lists."""
FEW_SURVIVORS = 2
"""Candidates for each result, after removed rows were left out, below which the index searches again without them."""

_THREAD = local()


class EmbeddedCollection:
    """See the module. Any number of threads may search while one at a time writes."""

    def __init__(self, folder: Path, schema: Schema | None = None) -> None:
        """Open the collection in a folder, or make it for ``schema``. ``StoreError`` where its rows are damaged."""
        self.folder = folder
        self._database = Database(folder, schema)
        self.schema = self._database.schema
        self._lock, self._writes, self._maintenance = ReadWriteLock(), Lock(), Lock()
        self._wake, self._closing = Event(), False
        self._thread: Thread | None = None
        found = recovered(folder, self._database)
        self._columns, self._vectors = found.columns, found.vectors
        self._index, self._checkpoint_rows = found.index, found.checkpoint_rows
        self._wake_if_due()

    # ---------------------------------------------------------------- writing

    def upsert(self, rows: Rows) -> Written:
        """Write rows whole, in one transaction that is on disk when this returns."""
        if len(rows) == 0:
            return Written(count=0)
        assert rows.vectors is not None
        with self._writes:
            self._vectors.reserve(len(rows))
            _, replaced = self._database.upsert(rows)
            with self._lock.writing():
                self._columns.remove(replaced)
                self._columns.append(rows.ids, [rows.columns[field.name] for field in self.schema.fields])
                self._vectors.append(rows.vectors)
        self._wake_if_due()
        return Written(count=len(rows))

    def delete(self, filter: Filter) -> int:
        """Delete the rows that pass; on disk when this returns. ``purge`` also removes their traces."""
        check(filter, self.schema)
        with self._writes:
            gone = np.flatnonzero(self._passing(filter))
            if len(gone):
                self._database.remove(gone)
                with self._lock.writing():
                    self._columns.remove(gone)
        return len(gone)

    def purge(self) -> None:
        """Overwrite all that is left of deleted rows: vectors, fields, ids, codes in the index, pages of the file."""
        with self._maintenance, self._writes:
            gone = np.flatnonzero(~self._columns.alive)
            index = self._index
            if index is not None:
                rows = np.flatnonzero(self._columns.alive)
                index = build_candidates(self._vectors.values, rows, self.schema.metric) if len(rows) else None
            with self._lock.writing():
                self._columns.erase(gone)
                self._vectors.values[gone] = 0
                self._index = index
            self._database.vacuum()
            self._write_checkpoint()

    # ---------------------------------------------------------------- reading

    def count(self, filter: Filter | None = None) -> int:
        """Return how many rows pass."""
        if filter is None:
            with self._lock.reading():
                return len(self._columns) - self._columns.removed_rows
        check(filter, self.schema)
        with self._lock.reading():
            return int(np.count_nonzero(self._passing(filter)))

    def search(
        self, vectors: Vectors, k: int, filter: Filter | None = None, options: SearchOptions | None = None
    ) -> list[Hits]:
        """Return the ``k`` best rows that pass, equal scores in no stated order."""
        require_k(k)
        options = options or SearchOptions()
        queries = checked_vectors(self.schema, vectors)
        if filter is not None:
            check(filter, self.schema)
        _use_one_thread()
        with self._lock.reading():
            found, scores, exact, matching = self._search(queries, k, filter, options.effort)
            kept = found.tolist() if matching >= k else [row[row >= 0].tolist() for row in found]
            answers = [(self._columns.ids(rows), scores[i, : len(rows)], rows) for i, rows in enumerate(kept)]
        hits = [
            Hits(ids=ids, scores=score, exact=exact, exhausted=len(ids) == matching < k) for ids, score, _ in answers
        ]
        if options.fields is None:
            return hits
        return [
            self._with_rows(hit, numbers, options.fields) for hit, (_, _, numbers) in zip(hits, answers, strict=True)
        ]

    def scan(
        self, filter: Filter | None = None, *, size: int = 1000, token: str | None = None, vectors: bool = False
    ) -> Page:
        """Return a page of the rows that pass, in the order they were written."""
        if filter is not None:
            check(filter, self.schema)
        first = int(token) + 1 if token is not None else 0
        with self._lock.reading():
            passed = self._columns.alive if filter is None else self._passing(filter)
            numbers = first + np.flatnonzero(passed[first:])
        page = numbers[:size]
        rows = self._rows(page, [field.name for field in self.schema.fields], vectors)
        return Page(rows=rows, token=str(page[-1]) if len(numbers) > size else None)

    def statistics(self) -> Statistics:
        """Return the state; of the index, what share of the ten best it found when it tried itself."""
        with self._lock.reading():
            index, rows = self._index, len(self._columns) - self._columns.removed_rows
            details: dict[str, Any] = {"written": len(self._columns), "checkpoint": self._checkpoint_rows}
            if index is not None:
                details |= {"lists": index.lists, "probes": index.probes, "recall_at_10_when_built": index.recall}
            covered = int(np.count_nonzero(self._columns.alive[: index.covered])) if index is not None else 0
        size = sum(file.stat().st_blocks * 512 for file in self.folder.iterdir() if file.is_file())
        return Statistics(rows=rows, indexed=covered, bytes=size, details=details)

    # ------------------------------------------------------------ maintenance

    def build(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Index all rows, if there are more than are scanned exactly, and write a checkpoint."""
        with self._maintenance:
            self._maintain(on_progress)
            if self._checkpoint_rows != len(self._columns):
                self._checkpoint()

    def close(self) -> None:
        """Write a checkpoint and let go of the files."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._maintenance:
            if self._checkpoint_rows != len(self._columns):
                self._checkpoint()
            with self._writes, self._lock.writing():
                self._database.close()

    # ---------------------------------------------------------------- private

    def _search(
        self, queries: Vectors, k: int, filter: Filter | None, effort: float
    ) -> tuple[RowNumbers, NDArray[np.float32], bool, int]:
        """Return rows and scores (Q, k'), -1 where there are no more; whether exactly, and how many rows pass."""
        passed = None if filter is None else self._passing(filter)
        everything = len(self._columns) - self._columns.removed_rows
        matching = everything if passed is None else int(np.count_nonzero(passed))
        values, index = self._vectors.values, self._index
        if index is None or matching <= self.schema.exact_up_to:
            rows = np.flatnonzero(self._columns.alive if passed is None else passed)
            return *top_of_rows(queries, values, rows, k, self.schema.metric), True, matching
        found, scores = self._approximate(queries, k, index, passed, effort * everything / matching)
        if (found[:, min(k, matching) - 1] < 0).any():  # never fewer than there are; the missing come last
            rows = np.flatnonzero(self._columns.alive if passed is None else passed)
            return *top_of_rows(queries, values, rows, k, self.schema.metric), True, matching
        return found, scores, False, matching

    def _approximate(
        self, queries: Vectors, k: int, index: CandidateIndex, passed: Mask | None, effort: float
    ) -> tuple[RowNumbers, NDArray[np.float32]]:
        values, alive, metric = self._vectors.values, self._columns.alive, self.schema.metric
        depth = depth_for(k)
        if passed is not None:
            found = index.search(queries, depth, FILTERED_EFFORT * effort, np.packbits(passed, bitorder="little"))
        else:
            found = index.search(queries, depth, effort)
            if self._columns.removed_rows:
                found[(found >= 0) & ~alive[found]] = -1
                if ((found >= 0).sum(axis=1) < FEW_SURVIVORS * k).any():
                    found = index.search(queries, depth, effort, np.packbits(alive, bitorder="little"))
        scores = scores_of_rows(queries, values, found, metric)
        if index.covered < len(values):
            rest = alive[index.covered :] if passed is None else passed[index.covered :]
            rows = index.covered + np.flatnonzero(rest)
            late, late_scores = top_of_rows(queries, values, rows, k, metric)
            found, scores = np.hstack([found, late]), np.hstack([scores, late_scores])
        keys = scores if metric == "l2" else -scores
        missing = found < 0
        if missing.any():
            keys[missing] = np.inf
        order = np.argsort(keys, axis=1)[:, :k]
        if len(queries) == 1:
            return found[:, order[0]], scores[:, order[0]]
        each = np.arange(len(queries))[:, None]
        return found[each, order], scores[each, order]

    def _passing(self, filter: Filter) -> Mask:
        return np.asarray(matches(filter, self._columns) & self._columns.alive)

    def _with_rows(self, hits: Hits, numbers: list[int], fields: tuple[str, ...]) -> Hits:
        """Return hits with their rows; those deleted in between are left out."""
        rows = self._rows(np.array(numbers, dtype=np.int64), fields, vectors=False)
        place = {id: i for i, id in enumerate(rows.ids)}
        kept = [i for i, id in enumerate(hits.ids) if id in place]
        return Hits(
            ids=tuple(hits.ids[i] for i in kept),
            scores=hits.scores[kept],
            exact=hits.exact,
            exhausted=hits.exhausted,
            rows=rows.take([place[hits.ids[i]] for i in kept]),
        )

    def _rows(self, numbers: RowNumbers, fields: Any, vectors: bool) -> Rows:
        for name in fields:
            self.schema.field(name)
        found = self._database.rows(numbers.tolist())
        position = {field.name: 3 + i for i, field in enumerate(self.schema.fields)}
        kept = np.array([row[0] for row in found], dtype=np.int64)
        return Rows(
            ids=tuple(row[1] for row in found),
            vectors=self._vectors.values[kept].copy() if vectors else None,
            columns={name: [row[position[name]] for row in found] for name in fields},
            meta=tuple(json.loads(row[2]) if row[2] else {} for row in found),
        )

    def _wake_if_due(self) -> None:
        if not self._is_due():
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name=f"index {self.schema.name}", daemon=True)
            self._thread.start()
        self._wake.set()

    def _is_due(self) -> bool:
        if len(self._columns) - self._checkpoint_rows >= CHECKPOINT_ROWS:
            return True
        if self.schema.index == "flat":
            return False
        if self._index is None:
            return len(self._columns) - self._columns.removed_rows > self.schema.exact_up_to
        return len(self._columns) - self._index.covered >= WAITING_ROWS

    def _run(self) -> None:
        _use_one_thread()
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            with self._maintenance:
                if self._closing:
                    return
                try:
                    self._maintain()
                    if len(self._columns) - self._checkpoint_rows >= CHECKPOINT_ROWS:
                        self._checkpoint()
                except Exception:
                    LOG.exception("%s: indexing failed; searches go on without", self.folder)

    def _maintain(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Build the index if it is due, and move into it what isn't there. Searches and writes go on."""
        if self.schema.index == "flat":
            return
        count = len(self._columns) - self._columns.removed_rows
        index = self._index
        grown = index is not None and count > GROWTH_BEFORE_TRAINING * index.trained_on
        if count > self.schema.exact_up_to and (index is None or grown):
            with self._lock.reading():
                values, rows = self._vectors.values, np.flatnonzero(self._columns.alive)
            index = build_candidates(values, rows, self.schema.metric, on_progress)
            with self._lock.writing():
                self._index = index
        while index is not None and index.covered < len(self._columns) and not self._closing:
            with self._lock.writing():
                end = min(index.covered + ADDED_AT_ONCE, len(self._columns))
                rows = index.covered + np.flatnonzero(self._columns.alive[index.covered : end])
                index.add(self._vectors.values[rows], rows, end)

    def _checkpoint(self) -> None:
        with self._writes:
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        write_checkpoint(self.folder, self._columns, self._vectors, self._index)
        self._checkpoint_rows = len(self._columns)


def _use_one_thread() -> None:
    """Keep FAISS to the calling thread: for single queries a team of threads costs more than it brings."""
    if not getattr(_THREAD, "set", False):
        faiss.omp_set_num_threads(1)
        _THREAD.set = True
