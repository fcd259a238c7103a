"""A reconstruction from the layout of a walk, which in the end nothing but its photos hold."""

from pathlib import Path

import pycolmap

from perception import Features
from twin.mapping.approximate_poses import APPROXIMATE_ROUNDS_PX, MIN_SURE_POINTS, MIN_VIEWS
from twin.mapping.by_order.tears import torn_off
from twin.mapping.capture import Capture
from twin.mapping.pairing import Pair
from twin.mapping.prior_adjustment import adjust_with_priors
from twin.mapping.reconstruction import NOT_ENOUGH_MATCHES, adjust, empty_reconstruction, placed_images, triangulate

FREE_ROUNDS = 2
TORN_OFF = "it matches its neighbours in the walk, and the map puts it elsewhere"


def settle(
    capture: Capture, features: list[Features], database: Path, output: Path
) -> tuple[pycolmap.Reconstruction, dict[str, str]]:
    """Start at a walk's approximate poses, tighten, and let go of them; return what stands, and who fell out.

    Points that only two photos see hold none: two photos agree on almost any point along a line. Photos that the map
    tears from their neighbours are left out, until there are none.
    """
    model = empty_reconstruction(capture, features, capture.prior_poses())
    for max_error_px in APPROXIMATE_ROUNDS_PX:
        model = triangulate(model, database, capture.folder, output, max_error_px)
        adjust_with_priors(model, capture)
    matched = _matched(database)
    left_out: dict[str, str] = {}
    free = 0
    while free < FREE_ROUNDS:
        model = triangulate(model, database, capture.folder, output, APPROXIMATE_ROUNDS_PX[-1])
        left_out |= _drop_loose(model)
        adjust(model, capture.given_cameras)
        torn = torn_off(model, matched)
        for image in torn:
            left_out[image.name] = TORN_OFF
            model.deregister_frame(image.frame_id)
        free = 0 if torn else free + 1
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


def _matched(database: Path) -> dict[Pair, int]:
    """Return how many matches two-view geometry kept of each pair of rows."""
    with pycolmap.Database.open(database) as opened:
        numbers, counts = opened.read_two_view_geometry_num_inliers()
    pairs = [pycolmap.pair_id_to_image_pair(number) for number in numbers]
    return {(a - 1, b - 1): count for (a, b), count in zip(pairs, counts, strict=True)}
