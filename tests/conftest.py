"""A small rendered capture and the twin made of it, once a session, since both take seconds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from geometry import camera_from_params
from scenes import CLEAN, court, query_views, walk_views, write_capture
from twin import MapInputs, map_images

WALK = 28


@dataclass(frozen=True)
class Rendered:
    """Folders and files of a capture in the layout of scenes.write_capture."""

    folder: Path

    @property
    def walk(self) -> Path:
        return self.folder / "walk"

    @property
    def queries(self) -> Path:
        return self.folder / "queries"

    @property
    def cameras(self) -> Path:
        return self.folder / "cameras.csv"

    def inputs(self, poses: str | None = "truth/walk.csv") -> MapInputs:
        """Return the inputs for mapping the walk; by default with its true poses."""
        return MapInputs(images=self.walk, cameras=self.cameras, poses=None if poses is None else self.folder / poses)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    folder = tmp_path_factory.mktemp("capture")
    rng = np.random.default_rng(5)
    camera = camera_from_params("PINHOLE", 480, 360, [300.0, 300.0, 240.0, 180.0])
    place = court(seed=1, px_per_m=64.0)
    walk = walk_views(place, camera, rng, count=WALK)
    queries = query_views(place, camera, rng, count=6)
    write_capture(folder, place, walk, queries, rng, noise=CLEAN, samples_per_axis=1)
    return Rendered(folder)


@pytest.fixture(scope="session")
def small_twin(rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    twin = tmp_path_factory.mktemp("twins") / "court"
    map_images(rendered.inputs(), twin)
    return twin
