"""A reconstruction from the layout of a walk, which in the end nothing but its photos hold."""

from pathlib import Path

import pycolmap

from perception import Features
from twin.mapping.approximate_poses import APPROXIMATE_ROUNDS_PX, MIN_SURE_POINTS, MIN_VIEWS
from twin.mapping.capture import Capture
from twin.mapping.prior_adjustment import adjust_with_priors
from twin.mapping.reconstruction import NOT_ENOUGH_MATCHES, adjust, empty_reconstruction, placed_images, triangulate

FREE_ROUNDS = 2


def settle(
    capture: Capture, features: list[Features], database: Path, output: Path
) -> tuple[pycolmap.Reconstruction, dict[str, str]]:
    """Start at a walk's approximate poses, tighten, and let go of them; return what stands, and who fell out.

    Points that only two photos see hold none: two photos agree on almost any point along a line.
    """
    model = empty_reconstruction(capture, features, capture.prior_poses())
    for max_error_px in APPROXIMATE_ROUNDS_PX:
        model = triangulate(model, database, capture.folder, output, max_error_px)
        adjust_with_priors(model, capture)
    left_out: dict[str, str] = {}
    for _ in range(FREE_ROUNDS):
        model = triangulate(model, database, capture.folder, output, APPROXIMATE_ROUNDS_PX[-1])
        for row, point in list(model.points3D.items()):
            if point.track.length() < MIN_VIEWS:
                model.delete_point3D(row)
        for image in placed_images(model):
            if image.num_points3D < MIN_SURE_POINTS:
                left_out[image.name] = NOT_ENOUGH_MATCHES
                model.deregister_frame(image.frame_id)
        adjust(model, capture.given_cameras)
    return triangulate(model, database, capture.folder, output, APPROXIMATE_ROUNDS_PX[-1]), left_out
