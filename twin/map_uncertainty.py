"""What the uncertainty of a map adds to every pose found in it: its tie to the site, and its own shape."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry import pose_covariance_of_frame, pose_jacobian_of_frame, position_of
from geometry.similarity import similarity_jacobian

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MapUncertainty:
    """Covariances over the perturbation of a frame: (log scale, rotation vector, translation), as geometry.similarity.

    frame: (7, 7) of the whole map about ``centroid`` (3,)
    around_views: (V, 7, 7) of what surrounds each view, about the view's centre in ``view_positions`` (V, 3)
    """

    frame: Array
    centroid: Array
    around_views: Array
    view_positions: Array

    @classmethod
    def of(
        cls,
        poses: Sequence[pycolmap.Rigid3d],
        view_covariances: ArrayLike | None,
        frame: ArrayLike | None,
        centroid: ArrayLike | None,
    ) -> "MapUncertainty":
        """Take view poses with their covariances (V, 6, 6), and the frame's; what is None counts as exact."""
        around = np.zeros((len(poses), 7, 7))
        if view_covariances is not None:
            for view, (pose, covariance) in enumerate(zip(poses, np.asarray(view_covariances), strict=True)):
                site_motion = np.zeros((7, 6))
                site_motion[1:4, :3] = site_motion[4:, 3:] = -pose.rotation.matrix().T
                around[view] = site_motion @ covariance @ site_motion.T
        return cls(
            frame=np.zeros((7, 7)) if frame is None else np.asarray(frame, dtype=np.float64),
            centroid=np.zeros(3) if centroid is None else np.asarray(centroid, dtype=np.float64),
            around_views=around,
            view_positions=np.array([position_of(pose) for pose in poses]).reshape(-1, 3),
        )

    def pose_covariance(self, cam_from_site: pycolmap.Rigid3d, weights: ArrayLike) -> Array:
        """Return what to add to the covariance (6, 6) of a pose found from landmarks of views with ``weights`` (V,).

        What a view sees moves with the view, and what several see with their weighted mean; as their errors go
        together, the mean of the covariances is taken, which can only be too wide.
        """
        used = np.flatnonzero(weights)
        share = np.asarray(weights, dtype=np.float64)[used]
        total = pose_covariance_of_frame(cam_from_site, self.frame, self.centroid)
        if len(used) == 0:
            return total
        jacobian = pose_jacobian_of_frame(cam_from_site, self.view_positions[used])
        around = np.einsum(
            "v,vij,vjk,vlk->il", share / share.sum(), jacobian, self.around_views[used], jacobian, optimize=True
        )
        return np.asarray(total + around)

    def point_covariance(self, point: ArrayLike, views: Sequence[int]) -> Array:
        """Return what to add to the covariance (3, 3) of a point (3,) in site that was placed from some views.

        As in ``pose_covariance``, the views' errors go together.
        """
        at = np.asarray(point, dtype=np.float64)
        frame = similarity_jacobian((at - self.centroid)[None])[0]
        around = similarity_jacobian(at - self.view_positions[list(views)])
        moved = np.einsum("vij,vjk,vlk->il", around, self.around_views[list(views)], around) / max(len(views), 1)
        return np.asarray(frame @ self.frame @ frame.T + moved)

    def view_covariance(self, view: int, cam_from_site: pycolmap.Rigid3d) -> Array:
        """Return the covariance (6, 6) of the pose of one view in site."""
        return self.pose_covariance(cam_from_site, np.arange(len(self.view_positions)) == view)
