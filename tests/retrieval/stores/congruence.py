"""The same random calls on an engine and on the oracle, and what differs between their answers.

Fields, regions and sizes are drawn so that filters keep from nothing to everything.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from retrieval.stores.exact import ExactStore
from retrieval.stores.filters import (
    And,
    Eq,
    Filter,
    IdIn,
    In,
    InBox,
    InPolygon,
    Not,
    Or,
    Range,
    WithinRadius,
)
from retrieval.stores.rows import Rows, checked_rows
from retrieval.stores.schema import Schema, sighting_schema
from retrieval.stores.store import Collection, Hits, SearchOptions, Store, pages

EXTENT_M, SECONDS = 100.0, 1000.0
SCORE_TOLERANCE = 2e-4


def make_schema(name: str = "cars", dimension: int = 16, *, metric: str = "cosine", **options: object) -> Schema:
    return sighting_schema(name, dimension, "test/1", metric=metric, **options)


def draw_rows(schema: Schema, rng: np.random.Generator, ids: list[str], clusters: int = 40) -> Rows:
    """Draw rows whose vectors come in clusters, with None among words and integers."""
    n = len(ids)
    centres = np.random.default_rng(5).normal(size=(clusters, schema.dimension))
    vectors = centres[rng.integers(clusters, size=n)] + 0.5 * rng.normal(size=(n, schema.dimension))
    word = lambda words: [None if rng.random() < 0.1 else str(rng.choice(words)) for _ in range(n)]  # noqa: E731
    return checked_rows(
        schema,
        ids,
        vectors,
        {
            "facility": word(["north", "south", 'it\'s "odd"\\']),
            "level": word(["P1", "P2"]),
            "zone": word(["A", "B", "C"]),
            "camera": word([f"cam{i}" for i in range(8)]),
            "track": [None if rng.random() < 0.2 else int(rng.integers(-5, 50)) for _ in range(n)],
            "kind": word(["car", "van", "person"]),
            "colour": word(["red", "grün"]),
            "time": rng.uniform(0, SECONDS, n).tolist(),
            "x": rng.uniform(0, EXTENT_M, n).tolist(),
            "y": rng.uniform(0, EXTENT_M, n).tolist(),
            "z": rng.choice([0.0, 3.5], n).tolist(),
        },
        [{"n": int(rng.integers(9)), "text": "ä"} if rng.random() < 0.3 else {} for _ in range(n)],
    )


def draw_filter(rng: np.random.Generator, ids: list[str], depth: int = 0) -> Filter:
    """Draw a filter of whatever kind, nested up to three deep."""
    kind = int(rng.integers(10 if depth < 3 else 7))
    x, y = rng.uniform(0, EXTENT_M, 2).tolist()
    if kind == 0:
        return Eq("facility", str(rng.choice(["north", "south", 'it\'s "odd"\\', "nowhere"])))
    if kind == 1:
        return In("camera", tuple(f"cam{i}" for i in rng.choice(9, int(rng.integers(0, 5)), replace=False)))
    if kind == 2:
        low = float(rng.uniform(0, SECONDS))
        return (
            Range("time", low, low + float(rng.uniform(0, SECONDS))) if rng.random() < 0.7 else Range("track", None, 9)
        )
    if kind == 3:
        width, height = rng.uniform(1, 60, 2).tolist()
        return InBox(x, y, x + width, y + height)
    if kind == 4:
        corners = int(rng.integers(3, 8))
        angles = 2 * np.pi * (np.arange(corners) + rng.uniform(0, 0.4, corners)) / corners
        radii = rng.uniform(5, 50, len(angles))
        star = zip((x + radii * np.cos(angles)).tolist(), (y + radii * np.sin(angles)).tolist(), strict=True)
        return InPolygon(tuple(star))
    if kind == 5:
        return WithinRadius(x, y, float(rng.uniform(1, 60)))
    if kind == 6:
        if rng.random() < 0.5 or not ids:
            return Eq("track", int(rng.integers(-5, 50)))
        return IdIn(tuple(str(id) for id in rng.choice(ids, min(len(ids), 5), replace=False)))
    parts = tuple(draw_filter(rng, ids, depth + 1) for _ in range(int(rng.integers(0, 4))))
    if kind == 7:
        return And(parts)
    return Or(parts) if kind == 8 else Not(draw_filter(rng, ids, depth + 1))


@dataclass
class Congruence:
    """What a run of random calls found.

    differences: answers that differ where they must not; recall: of each approximate search with results, of the
    oracle's ids; filtered: of those with a filter
    """

    operations: int = 0
    exact_searches: int = 0
    differences: list[str] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    filtered: list[float] = field(default_factory=list)


def run(
    store: Store,
    schema: Schema,
    rng: np.random.Generator,
    operations: int,
    *,
    initial: int = 300,
    reopen: Callable[[Store], Store] | None = None,
    options: SearchOptions | None = None,
) -> Congruence:
    """Do the same random operations on ``store`` and on the oracle and compare all answers.

    ``reopen`` closes the store and opens it again, now and then.
    """
    oracle, engine = ExactStore().create(schema), store.create(schema)
    found, options = Congruence(), options or SearchOptions(consistency="strong")
    known: list[str] = []
    fresh = 0

    def upsert(count: int, replacing: int) -> None:
        nonlocal fresh
        old = [str(id) for id in rng.choice(known, min(replacing, len(known)), replace=False)] if known else []
        new = [f"row-{i}" for i in range(fresh, fresh + count)]
        fresh += count
        rows = draw_rows(schema, rng, old + new)
        known.extend(new)
        oracle.upsert(rows)
        written = engine.upsert(rows)
        if written.count != len(rows) or written.failures:
            found.differences.append(f"upsert: {written.failures[:3]}")

    upsert(initial, 0)
    engine.build()
    for number in range(operations):
        found.operations += 1
        kind = rng.random()
        filter = draw_filter(rng, known) if rng.random() < 0.8 else None
        if kind < 0.2:
            upsert(int(rng.integers(1, 20)), int(rng.integers(0, 6)))
        elif kind < 0.26:
            target = And((filter or In("camera", ("cam0",)), Range("time", None, float(rng.uniform(0, SECONDS / 10)))))
            gone, wanted = engine.delete(target), oracle.delete(target)
            if gone != wanted:
                found.differences.append(f"{number}: deleted {gone}, not {wanted}: {target}")
        elif kind < 0.45:
            counted, wanted = engine.count(filter), oracle.count(filter)
            if counted != wanted:
                found.differences.append(f"{number}: counted {counted}, not {wanted}: {filter}")
        elif kind < 0.55:
            _compare_scans(engine, oracle, filter, number, found)
        elif kind < 0.57 and reopen is not None:
            store = reopen(store)
            engine = store.open(schema.name)
        else:
            _compare_searches(engine, oracle, filter, number, rng, found, options)
    return found


def _compare_scans(
    engine: Collection, oracle: Collection, filter: Filter | None, number: int, found: Congruence
) -> None:
    def content(collection: Collection) -> dict[str, object]:
        rows = {}
        for page in pages(collection, filter, size=64):
            for i, id in enumerate(page.ids):
                fields = {name: values[i] for name, values in page.columns.items()}
                assert page.vectors is not None
                rows[id] = (fields, page.meta[i], page.vectors[i])
        return rows

    ours, wanted = content(engine), content(oracle)
    if ours.keys() != wanted.keys():
        found.differences.append(f"{number}: scan {len(ours)} rows, not {len(wanted)}: {filter}")
        return
    for id, (fields, meta, vector) in ours.items():  # type: ignore[misc]
        true_fields, true_meta, true_vector = wanted[id]  # type: ignore[misc]
        if fields != true_fields or meta != true_meta or not np.allclose(vector, true_vector, atol=1e-6):
            found.differences.append(f"{number}: row {id} is {fields} {meta}, not {true_fields} {true_meta}")


def _compare_searches(
    engine: Collection,
    oracle: Collection,
    filter: Filter | None,
    number: int,
    rng: np.random.Generator,
    found: Congruence,
    options: SearchOptions,
) -> None:
    k = int(rng.integers(1, 30))
    queries = np.vstack([draw_rows(engine.schema, rng, [f"q{i}"]).vectors for i in range(int(rng.integers(1, 4)))])
    answers, truths = engine.search(queries, k, filter, options), oracle.search(queries, k, filter)
    for answer, truth in zip(answers, truths, strict=True):
        if len(answer) != len(truth) or answer.exhausted != truth.exhausted:
            found.differences.append(
                f"{number}: {len(answer)} hits (exhausted {answer.exhausted}), not {len(truth)}: k {k}, {filter}"
            )
        elif answer.exact:
            found.exact_searches += 1
            if not _same_best(answer, truth):
                found.differences.append(f"{number}: other hits: k {k}, {filter}")
        elif len(truth):
            recall = len(set(answer.ids) & set(truth.ids)) / len(truth)
            found.recall.append(recall)
            if filter is not None:
                found.filtered.append(recall)


def _same_best(answer: Hits, truth: Hits) -> bool:
    """Return whether two answers hold the same, but for rows that tie with the last within rounding."""
    if not np.allclose(answer.scores, truth.scores, atol=SCORE_TOLERANCE, rtol=1e-4):
        return False
    if len(truth) == 0:
        return True
    last = truth.scores[-1]
    sure = {id for id, score in zip(truth.ids, truth.scores, strict=True) if abs(score - last) > SCORE_TOLERANCE}
    return sure <= set(answer.ids)
