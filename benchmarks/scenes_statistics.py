"""Do renders look like a camera's pictures to feature detectors, and in what do look-alike levels differ?"""

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.protocol import spread
from benchmarks.scenes_site import SEED, Site
from scenes import Facility
from scenes.building import build_facility
from scenes.captures import SURVEY_DAY, Phone
from scenes.facility import Wear
from scenes.library import facility
from scenes.rendering import FULL, Shape

DARK, BRIGHT = 1, 254
TELLING = ("sign ", "tag ")
"""What tells levels apart by intent, besides listed wear: names of shapes begin so after the level's."""
TEXEL_M = 0.02


def picture_statistics(site: Site, *, pictures: int) -> dict[str, Any]:
    """Return the clipped share and the number of SIFT points of JPEG files that a phone makes on a walk."""
    phone = Phone(seed=(SEED,), rendering=FULL, stops=SURVEY_DAY.stops)
    points, clipped = [], []
    for index in np.linspace(0, len(site.walk) - 1, pictures).astype(int).tolist():
        content = phone.file(index, phone.picture(site.world, site.walk, index))
        picture = np.array(Image.open(io.BytesIO(content)))
        clipped.append(float(((picture <= DARK) | (picture >= BRIGHT)).mean()))
        points.append(len(cv2.SIFT.create().detect(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))))
    outside = sum(not 250 <= count <= 1500 for count in points)
    return {"pictures": pictures, "sift_points": spread(points), "outside": outside, "clipped": spread(clipped)}


def level_differences(name: str = "garage-twins") -> dict[str, Any]:
    """Return how far the levels of a scene differ from its first, as shares of the area of all surfaces.

    told: on signs and tags; wear: texels that differ inside of listed wear; unlisted: texels that differ elsewhere, or
    shapes that have no counterpart; 0 is texel-identical
    """
    place = facility(name)
    by_level = _shapes_by_level(place)
    first, *others = (by_level[level.id] for level in place.levels)
    area = {"all": 0.0, "told": 0.0, "wear": 0.0, "unlisted": 0.0}
    for level, shapes in zip(place.levels[1:], others, strict=True):
        marks = [mark for mark in place.wear if mark.level in (place.levels[0].id, level.id)]
        for key in first.keys() | shapes.keys():
            size = max(_area(s[key]) for s in (first, shapes) if key in s)
            area["all"] += size
            if key.startswith(TELLING):
                area["told"] += size
            elif key in first and key in shapes and _same_form(first[key], shapes[key]):
                worn, other = _differing_m2(first[key], shapes[key], marks)
                area["wear"] += worn
                area["unlisted"] += other
            else:
                area["unlisted"] += size
    return {"levels": len(place.levels), **{kind: area[kind] / area["all"] for kind in ("told", "wear", "unlisted")}}


def _shapes_by_level(place: Facility) -> dict[str, dict[str, Shape]]:
    """Return the shapes of each level by their name without the level, which ids of elements begin with."""
    levels: dict[str, dict[str, Shape]] = {level.id: {} for level in place.levels}
    for shape in build_facility(place).shapes:
        level, _, rest = shape.name.partition("/")
        levels[level][rest.replace(f"{level}-", "")] = shape
    return levels


def _same_form(first: Shape, second: Shape) -> bool:
    """Tell whether two shapes differ in nothing but their height above the site and their texture."""
    a, b = first.texture, second.texture
    return (
        first.vertices.shape == second.vertices.shape
        and np.allclose(first.vertices[:, :2], second.vertices[:, :2])
        and np.allclose(np.diff(first.vertices[:, 2]), np.diff(second.vertices[:, 2]), atol=1e-4)
        and np.allclose(first.uv, second.uv, atol=1e-4)
        and first.finish == second.finish
        and a.image.shape == b.image.shape
        and a.px_per_m == b.px_per_m
    )


def _differing_m2(first: Shape, second: Shape, marks: Sequence[Wear]) -> tuple[float, float]:
    """Return the area of texels that differ, within listed marks and elsewhere."""
    a, b = first.texture, second.texture
    if a is b:
        return 0.0, 0.0
    rows, columns = np.nonzero((a.image != b.image).any(axis=2))
    uv = (np.column_stack([columns, rows]) + 0.5) / a.px_per_m
    xy_from_uv = np.linalg.lstsq(_with_one(first.uv), first.vertices[:, :2], rcond=None)[0]
    xy = _with_one(uv) @ xy_from_uv
    within = [(np.abs(xy - mark.at) <= np.array(mark.size) / 2 + TEXEL_M).all(axis=1) for mark in marks]
    listed = int(np.any(within, axis=0).sum()) if marks else 0
    return listed / a.px_per_m**2, (len(xy) - listed) / a.px_per_m**2


def _with_one(places: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.column_stack([places, np.ones(len(places))])


def _area(shape: Shape) -> float:
    corners: NDArray[np.float32] = shape.vertices[shape.triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(cross, axis=1).sum() / 2)
