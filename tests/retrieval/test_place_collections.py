"""Photos of several facilities in one collection."""

import numpy as np

from retrieval.place_collections import guess_places, index_places, place_schema
from retrieval.stores.exact import ExactStore
from retrieval.stores.filters import Eq


def test_a_photo_is_of_the_facility_and_level_that_it_looks_like() -> None:
    rng = np.random.default_rng(1)
    collection = ExactStore().create(place_schema("places", 32, "test/1"))
    centres = rng.normal(size=(4, 32))
    for number, (facility, level) in enumerate((("a", "P1"), ("a", "P2"), ("b", "P1"), ("b", None))):
        vectors = centres[number] + 0.3 * rng.normal(size=(10, 32))
        names = [f"{level}-{i}.jpg" for i in range(10)]
        index_places(collection, facility, names, vectors, rng.normal(size=(10, 3)), [level] * 10)
    assert collection.count() == 40
    queries = (centres + 0.3 * rng.normal(size=(4, 32))).astype(np.float32)
    found = guess_places(collection, queries)
    assert [(best[0].facility, best[0].level) for best in found] == [("a", "P1"), ("a", "P2"), ("b", "P1"), ("b", None)]
    assert all(abs(sum(guess.share for guess in best) - 1.0) < 1e-6 for best in found)
    (only_b,) = guess_places(collection, queries[:1], filter=Eq("facility", "b"))
    assert {guess.facility for guess in only_b} == {"b"}
    assert guess_places(ExactStore().create(place_schema("none", 32, "test/1")), queries[:1]) == [[]]
