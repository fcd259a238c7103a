"""The tie of a map to the site by all its evidence together: points, a walk that drifts, tags that one photo shows."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import Alignment, JointPoints, TagSpecs, TagView, refine_alignment, tag_corners
from geometry.tag_alignment import DEFAULT_TAG_SIGMA_M
from twin.mapping.capture import Capture
from twin.mapping.registration import TiePoints
from twin.mapping.tag_sightings import CORNER_SIGMA_PX, TagSighting

Array = NDArray[np.float64]


def tie_jointly(
    points: TiePoints, views: Sequence[TagView], rng: np.random.Generator
) -> tuple[Alignment, NDArray[np.bool_]]:
    """Return the alignment of the points and views, and which views agree (V,). Raises as ``TiePoints.align``."""
    alignment = points.align(rng)
    if not points.drift and not views:
        return alignment, np.zeros(0, dtype=bool)
    joint = JointPoints(
        in_map=np.array(points.in_map).reshape(-1, 3),
        in_site=np.array(points.in_site).reshape(-1, 3),
        errors=points.errors(),
        map_covariances=np.array(points.map_covariances).reshape(-1, 3, 3),
    )
    return refine_alignment(alignment, joint, views)


def views_of_tags(
    model: pycolmap.Reconstruction,
    capture: Capture,
    sightings: Sequence[TagSighting],
    tags: TagSpecs,
    shape: dict[str, Array],
) -> tuple[list[TagView], list[TagSighting]]:
    """Return the views of surveyed tags by placed photos, and the sightings that they are; ``shape`` as in register.

    Photos of one stretch err together in the map: the n views of a tag count n times the variance of their poses, so
    that together they are no surer of their place than one.
    """
    placed = {image.name: image for image in model.images.values() if image.has_pose}
    posed = np.flatnonzero(np.isfinite(tags.positions).all(axis=1)).tolist()
    used = [s for s in sightings if s.tag in posed and capture.names[s.image] in placed]
    times = Counter(s.tag for s in used)
    rows = sorted(times)
    corners = dict(zip(rows, tag_corners(tags.size_m[rows], tags.positions[rows], tags.quats_xyzw[rows]), strict=True))
    sigma_m = np.where(np.isnan(tags.sigma_m), DEFAULT_TAG_SIGMA_M, tags.sigma_m)
    views = []
    for sighting in used:
        image = placed[capture.names[sighting.image]]
        views.append(
            TagView(
                camera=image.camera,
                cam_from_map=image.cam_from_world(),
                covariance=times[sighting.tag] * shape.get(image.name, np.zeros((6, 6))),
                pixels=sighting.corners,
                sigma_px=CORNER_SIGMA_PX,
                corners=corners[sighting.tag],
                sigma_m=float(sigma_m[sighting.tag]),
            )
        )
    return views, used


def view_name(capture: Capture, sighting: TagSighting, tags: TagSpecs) -> str:
    """Return what a report calls a tag's view."""
    return f"{tags.families[sighting.tag]} {tags.ids[sighting.tag]} in {capture.names[sighting.image]}"
