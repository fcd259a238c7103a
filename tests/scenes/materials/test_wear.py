"""A listed mark changes texels within its rectangle and none outside."""

import numpy as np
import pytest

from scenes.materials.layers import compose, paint_over
from scenes.materials.plots import Plot
from scenes.materials.wear import wear_layers

PLOT = Plot(corner=(0.0, 4.0), size=(5.0, 4.0), px_per_m=40.0)


@pytest.mark.parametrize("kind", ["stain", "repair", "graffiti", "leak"])
def test_wear_stays_in_its_rectangle(kind: str) -> None:
    base = compose(np.ones(PLOT.shape, dtype=np.float32), (0.6, 0.6, 0.6), [], PLOT.px_per_m)
    worn = [
        paint_over(base, wear_layers(PLOT, (2.0, 2.5), (1.6, 1.0), kind, np.random.default_rng(seed)))
        for seed in (0, 0, 1)
    ]
    changed = (worn[0].image != base.image).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 0.05 * 1.6 * 1.0 * 40**2
    (left, top), (right, bottom) = PLOT.texels((1.2, 3.0)), PLOT.texels((2.8, 2.0))
    assert left - 1 <= columns.min() <= columns.max() <= right
    assert top - 1 <= rows.min() <= rows.max() <= bottom
    np.testing.assert_array_equal(worn[0].image, worn[1].image)
    assert (worn[0].image != worn[2].image).any()


def test_wear_beyond_the_floor_is_nothing() -> None:
    assert wear_layers(PLOT, (20.0, 20.0), (1.0, 1.0), "stain", np.random.default_rng(0)) == []
