"""Where else was this one: answers of a store, re-ranked by what is possible in the building, with reasons."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geometry import InputError, read_plan
from geometry.interchange import read_cameras_json
from retrieval.consistency import Site
from retrieval.rerank import Appearance, rerank
from retrieval.sighting_records import ResultHit, ResultRow
from retrieval.sightings import NO_TRACK, Sightings, sightings_of_rows
from retrieval.stores.filters import And, Filter, IdIn, Not
from retrieval.stores.rows import Rows, Vectors
from retrieval.stores.store import Collection, SearchOptions

CANDIDATES = 50
"""As many are re-ranked, or as many as are asked for, if more."""


@dataclass(frozen=True, kw_only=True)
class SearchAnswer:
    """The answers to one query: rows as they are stored, best first, with scores, probabilities and reasons.

    before: rank of each by similarity alone, from 0; probability: None where nothing but similarity was known
    together: which are the query's in the most probable of all that can be true
    """

    query: str
    rows: Rows
    scores: tuple[float, ...]
    before: tuple[int, ...]
    probability: tuple[float | None, ...]
    together: tuple[bool, ...]
    why: tuple[str, ...]
    partial: bool

    def record(self, top: int) -> ResultRow:
        """Return the ``top`` answers as a line of results.jsonl."""
        hits = [
            ResultHit(id=id, score=self.scores[i], probability=self.probability[i], why=self.why[i])
            for i, id in enumerate(self.rows.ids[:top])
        ]
        return ResultRow(query=self.query, results=tuple(hits), meta={"partial": True} if self.partial else {})


def site_of(twin: Path, begin: float, end: float) -> Site | None:
    """Return a twin's building prepared for re-ranking of what was seen from ``begin`` to ``end``, None without a plan.

    Fixed cameras, where the twin has any, tell what should have been seen.
    """
    plan_file, cameras_file = twin / "plan.json", twin / "cameras.json"
    if not plan_file.is_file():
        return None
    plan = read_plan(plan_file)
    if not plan.lanes:
        return None
    cameras = read_cameras_json(cameras_file) if cameras_file.is_file() else ()
    return Site(plan, cameras, begin=begin, end=end)


def query_of_stored(collection: Collection, id: str) -> Sightings:
    """Return a stored sighting as a query; ``InputError`` where there is none of that id."""
    page = collection.scan(IdIn((id,)), size=1, vectors=True)
    if not len(page.rows):
        raise InputError(f"there is no sighting '{id}'", where=collection.schema.name)
    return sightings_of_rows(page.rows)


def query_of_vector(vector: Vectors, name: str, time: float | None = None, place: Any = None) -> Sightings:
    """Return a vector (D,) as a query; without a time and a place (3,) it can't be re-ranked."""
    known = time is not None and place is not None
    when = np.array([time if time is not None and known else 0.0])
    where = np.array([place if known else (0.0, 0.0, 0.0)], dtype=np.float64)
    return Sightings(
        ids=(name,),
        vectors=np.asarray(vector, dtype=np.float32)[None],
        first=when,
        last=when,
        start=where,
        end=where,
        camera=("",),
        track=np.array([NO_TRACK]),
    )


def search_sightings(
    collection: Collection,
    query: Sightings,
    twin: Path | None = None,
    *,
    top: int = 10,
    filter: Filter | None = None,
    appearance: Appearance | None = None,
    options: SearchOptions | None = None,
) -> SearchAnswer:
    """Return the ``top`` answers to a query, which is never its own answer.

    twin: the folder whose plan and cameras re-rank; None, or a twin without lanes, leaves the order by similarity.
        All answers must be of that twin's facility then: narrow ``filter`` to it.
    """
    names = tuple(field.name for field in collection.schema.fields)
    options = options or SearchOptions(fields=names)
    parts = [Not(IdIn(query.ids)), *([filter] if filter is not None else [])]
    depth = max(top, CANDIDATES)
    (hits,) = collection.search(query.vectors, depth, And(tuple(parts)), options)
    assert hits.rows is not None
    by_likeness = _plain(query.ids[0], hits.rows, hits.scores, hits.partial)
    if twin is None or len(hits) == 0:
        return _best(by_likeness, list(range(len(hits))), top)
    stored = collection.scan(IdIn(hits.ids), size=depth, vectors=True).rows
    place = {id: i for i, id in enumerate(stored.ids)}
    candidates = sightings_of_rows(stored.take([place[id] for id in hits.ids]))
    begin = float(min(query.first.min(), candidates.first.min()))
    end = float(max(query.last.max(), candidates.last.max()))
    site = site_of(twin, begin, end)
    if site is None:
        return _best(by_likeness, list(range(len(hits))), top)
    found = rerank(query, candidates, site, appearance)
    answer = SearchAnswer(
        query=by_likeness.query,
        rows=hits.rows,
        scores=by_likeness.scores,
        before=by_likeness.before,
        probability=tuple(found.probability.round(4).tolist()),
        together=tuple(found.together.tolist()),
        why=found.why,
        partial=hits.partial,
    )
    return _best(answer, found.order.tolist(), top)


def _plain(query: str, rows: Rows, scores: Any, partial: bool) -> SearchAnswer:
    n = len(rows)
    return SearchAnswer(
        query=query,
        rows=rows,
        scores=tuple(round(float(score), 6) for score in scores),
        before=tuple(range(n)),
        probability=(None,) * n,
        together=(False,) * n,
        why=("by similarity alone",) * n,
        partial=partial,
    )


def _best(answer: SearchAnswer, order: list[int], top: int) -> SearchAnswer:
    kept = order[:top]
    return SearchAnswer(
        query=answer.query,
        rows=answer.rows.take(kept),
        partial=answer.partial,
        **{
            name: tuple(getattr(answer, name)[i] for i in kept)
            for name in ("scores", "before", "probability", "together", "why")
        },
    )
