"""A reconstruction from the layout of a walk, which in the end nothing but its photos hold."""

from pathlib import Path

import pycolmap

from geometry import MappingError
from perception import Features
from twin.mapping.approximate_poses import APPROXIMATE_ROUNDS_PX, MIN_SURE_POINTS, MIN_VIEWS
from twin.mapping.by_order.laying_out import MIN_JOINED
from twin.mapping.by_order.tears import require_sure_pairs, torn_off
from twin.mapping.capture import Capture
from twin.mapping.letting_go import held_together
from twin.mapping.pairing import Pair
from twin.mapping.prior_adjustment import adjust_with_priors
from twin.mapping.reconstruction import (
    MIN_MODEL_SIZE,
    NOT_ENOUGH_MATCHES,
    adjust,
    empty_reconstruction,
    placed_images,
    triangulate,
)
from twin.progress import Progress

FREE_ROUNDS = 2
TORN_OFF = "it matches its neighbours in the walk, and the map puts it elsewhere"
HELD_BY_NOTHING = "the part of the map that it belongs to shares too little with the rest"


def settle(
    capture: Capture, features: list[Features], database: Path, output: Path, on_progress: Progress
) -> tuple[pycolmap.Reconstruction, dict[str, str]]:
    """Start at a walk's approximate poses, tighten, and let go of them; return what stands, and who fell out.

    Points that only two photos see hold none: two photos agree on almost any point along a line. Photos that the map
    tears from their neighbours are left out, until there are none, and so are parts that share too little with the
    largest. Raises ``MappingError`` where less than half of the photos stays, or photos of one place are far apart.
    """
    model = empty_reconstruction(capture, features, capture.prior_poses())
    rounds = len(APPROXIMATE_ROUNDS_PX)
    for done, max_error_px in enumerate(APPROXIMATE_ROUNDS_PX):
        on_progress("reconstruction", done, rounds + FREE_ROUNDS)
        model = triangulate(model, database, capture.folder, output, max_error_px)
        adjust_with_priors(model, capture)
    matched = _matched(database)
    left_out: dict[str, str] = {}
    free = 0
    while free < FREE_ROUNDS:
        on_progress("reconstruction", rounds + free, rounds + FREE_ROUNDS)
        model = triangulate(model, database, capture.folder, output, APPROXIMATE_ROUNDS_PX[-1])
        left_out |= _drop_loose(model)
        _require_half(model, capture)
        adjust(model, capture.given_cameras)
        apart = {image.image_id: TORN_OFF for image in torn_off(model, matched)}
        apart = {image.image_id: HELD_BY_NOTHING for image in _beside_the_largest(model)} | apart
        for image_id, reason in apart.items():
            left_out[model.images[image_id].name] = reason
            model.deregister_frame(model.images[image_id].frame_id)
        _require_half(model, capture)
        free = 0 if apart else free + 1
    require_sure_pairs(model, matched)
    return triangulate(model, database, capture.folder, output, APPROXIMATE_ROUNDS_PX[-1]), left_out


def _drop_loose(model: pycolmap.Reconstruction) -> dict[str, str]:
    """Take points that few photos see out of a model, then photos that see few points; return these by name."""
    for row, point in list(model.points3D.items()):
        if point.track.length() < MIN_VIEWS:
            model.delete_point3D(row)
    loose = [image for image in placed_images(model) if image.num_points3D < MIN_SURE_POINTS]
    for image in loose:
        model.deregister_frame(image.frame_id)
    return {image.name: NOT_ENOUGH_MATCHES for image in loose}


def _beside_the_largest(model: pycolmap.Reconstruction) -> list[pycolmap.Image]:
    """Return the placed images that points do not hold together with most others."""
    images = placed_images(model)
    largest = max(held_together(model), key=len)
    return [image for row, image in enumerate(images) if row not in set(largest.tolist())]


def _require_half(model: pycolmap.Reconstruction, capture: Capture) -> None:
    placed = model.num_reg_images()
    if placed < max(MIN_MODEL_SIZE, MIN_JOINED * len(capture.names)):
        raise MappingError(
            f"of {len(capture.names)} photos only {placed} hold together",
            where=str(capture.folder),
            remedy="Take more photos with about 70 % overlap, and walk lanes both ways; or give --poses or --tags.",
        )


def _matched(database: Path) -> dict[Pair, int]:
    """Return how many matches two-view geometry kept of each pair of rows."""
    with pycolmap.Database.open(database) as opened:
        numbers, counts = opened.read_two_view_geometry_num_inliers()
    pairs = [pycolmap.pair_id_to_image_pair(number) for number in numbers]
    return {(a - 1, b - 1): count for (a, b), count in zip(pairs, counts, strict=True)}
