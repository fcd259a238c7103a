"""What the map saw, as rays: from the photos' centres to their landmarks."""

from collections.abc import Sequence

import numpy as np

from geometry import position_of
from twin.landmarks import Landmarks
from twin.photos import MapPhoto
from twin.surface.evidence import Rays


def rays_of(landmarks: Landmarks | None, photos: Sequence[MapPhoto]) -> Rays:
    """Return a ray for each observation of a landmark in one of the photos; none without landmarks."""
    if landmarks is None:
        nothing = np.zeros((0, 3))
        none = np.zeros(0, dtype=np.int64)
        return Rays(centres=nothing, points=nothing, sigmas=np.zeros(0), landmark=none, view=none)
    centre_of = {photo.name: position_of(photo.cam_from_site) for photo in photos}
    lost = np.full(3, np.nan)
    centres = np.array([centre_of.get(name, lost) for name in landmarks.views]).reshape(-1, 3)
    sigma = np.sqrt(np.linalg.eigvalsh(np.asarray(landmarks.covariances, dtype=np.float64))[:, -1])
    view, landmark = landmarks.view_of_observation(), np.asarray(landmarks.landmark, dtype=np.int64)
    points = np.asarray(landmarks.points)[landmark]
    known = np.isfinite(centres[view]).all(axis=1) & np.isfinite(points).all(axis=1)
    return Rays(
        centres=centres[view[known]],
        points=points[known],
        sigmas=sigma[landmark[known]],
        landmark=landmark[known],
        view=view[known],
    )
