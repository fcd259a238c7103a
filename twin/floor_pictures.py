"""Pictures of a twin's floors with the plan over them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from twin.layout import draw_plan, file_stem
from twin.model import Twin


def floor_pictures(twin: Twin) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the levels that were rectified with their picture (H, W, 3) uint8 RGB, from the first of the plan on."""
    if twin.plan is None:
        return
    for level in twin.plan.levels:
        ortho = twin.ortho(level.id)
        if ortho is not None:
            yield level.id, draw_plan(ortho, twin.plan, level.id)


def draw_floors(twin: Twin, folder: Path) -> list[Path]:
    """Write ``plan-LEVEL.png`` of every level that was rectified into ``folder``; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for level, picture in floor_pictures(twin):
        path = folder / f"plan-{file_stem(level)}.png"
        Image.fromarray(picture).save(path)
        written.append(path)
    return written
