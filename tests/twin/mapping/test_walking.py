"""Which matches of the first round the map of a walk is made with again."""

import numpy as np

from twin.mapping.by_order import MIN_STEADY, MIN_TORN
from twin.mapping.walking import _sure


def test_next_photos_need_fewer_matches_than_look_alikes_and_rows_are_those_that_were_kept() -> None:
    names, kept = ["a", "b", "c", "d"], ["a", "c", "d"]

    def matches(count: int) -> np.ndarray:
        return np.zeros((count, 2), dtype=np.uint32)

    found = _sure(
        {
            (0, 1): matches(MIN_STEADY),  # b is not kept
            (0, 2): matches(MIN_STEADY - 1),
            (0, 3): matches(MIN_STEADY),
            (2, 3): matches(MIN_TORN),
        },
        names,
        kept,
    )
    assert {pair: len(each) for pair, each in found.items()} == {(0, 2): MIN_STEADY, (1, 2): MIN_TORN}
    assert _sure({(2, 3): matches(MIN_TORN - 1)}, names, kept) == {}
