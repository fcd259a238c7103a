"""Which facility and level is this photo of: map images of many twins in one collection, by the seam of sightings."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from retrieval.stores.filters import Filter
from retrieval.stores.rows import checked_rows
from retrieval.stores.schema import Field, Schema
from retrieval.stores.store import Collection, SearchOptions

Array = NDArray[np.float64]
Vectors = NDArray[np.float32]

PLACE_FIELDS = (
    Field("facility", "keyword"),
    Field("level", "keyword"),
    Field("image", "keyword"),
    Field("x", "number"),
    Field("y", "number"),
    Field("z", "number"),
)
"""Of map images; x, y, z is the camera's centre in the site of its own facility."""
SHARPNESS = 20.0
"""By how much a hit's cosine counts: one 0.1 higher counts about seven times as much."""


@dataclass(frozen=True, kw_only=True)
class PlaceGuess:
    """A facility and level with its share of the hits, each counted by its cosine, and the best image of it."""

    facility: str
    level: str | None
    share: float
    image: str
    cosine: float


def place_schema(name: str, dimension: int, embedding: str) -> Schema:
    """Return the schema of a collection of map images of many facilities.

    Vectors of all of them must be of one embedding: of residual aggregation that includes the visual words.
    """
    return Schema(name=name, dimension=dimension, embedding=embedding, fields=PLACE_FIELDS)


def index_places(
    collection: Collection,
    facility: str,
    images: Sequence[str],
    vectors: Vectors,
    positions_in_site: Array,
    levels: Sequence[str | None] | None = None,
) -> None:
    """Write the map images of a facility: names, descriptors (N, D), positions (N, 3) in its site, names of levels."""
    positions = np.asarray(positions_in_site, dtype=np.float64).reshape(-1, 3)
    columns = {
        "facility": [facility] * len(images),
        "level": list(levels) if levels is not None else [None] * len(images),
        "image": list(images),
        **{axis: positions[:, i].tolist() for i, axis in enumerate("xyz")},
    }
    ids = [f"{facility}/{image}" for image in images]
    written = collection.upsert(checked_rows(collection.schema, ids, vectors, columns))
    if written.failures:
        raise InputError(f"{len(written.failures)} images were refused", where=written.failures[0].id)


def guess_places(
    collection: Collection, vectors: Vectors, k: int = 5, filter: Filter | None = None
) -> list[list[PlaceGuess]]:
    """Return for each photo (Q, D) the facilities and levels among its ``k`` nearest images, the likeliest first."""
    options = SearchOptions(fields=("facility", "level", "image"))
    guesses = []
    for hits in collection.search(vectors, k, filter, options):
        assert hits.rows is not None
        weights = np.exp(SHARPNESS * (hits.scores - hits.scores.max(initial=-np.inf)))
        found: dict[tuple[str, str | None], list[int]] = defaultdict(list)
        for i, key in enumerate(zip(hits.rows.columns["facility"], hits.rows.columns["level"], strict=True)):
            found[key].append(i)
        guesses.append(
            sorted(
                (
                    PlaceGuess(
                        facility=facility,
                        level=level,
                        share=float(weights[members].sum() / weights.sum()),
                        image=hits.rows.columns["image"][members[0]],
                        cosine=float(hits.scores[members[0]]),
                    )
                    for (facility, level), members in found.items()
                ),
                key=lambda guess: (-guess.share, guess.facility, guess.level or ""),
            )
        )
    return guesses
