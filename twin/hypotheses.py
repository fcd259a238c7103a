"""What is tried and kept while a photo's pose is searched: the query, a pose that RANSAC found, a refined candidate."""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import PoseEstimate
from perception import Features
from twin.landmark_matching import ViewSearch
from twin.textures import Pyramid, TextureMatches, TextureSupport

Indices = NDArray[np.int64]

NOWHERE = TextureSupport(found=0, looked_for=0)


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """A pose that RANSAC found in what ``views`` see, its inliers (feature, landmark), the number of matches, and the
    textures that the photo shows from there."""

    cam_from_site: pycolmap.Rigid3d
    views: Indices
    feature: Indices
    landmark: Indices
    matches: int
    textures: TextureMatches | None = None

    @property
    def support(self) -> int:
        """Number of matches that agree with it."""
        return len(self.feature)

    @property
    def textured(self) -> TextureSupport:
        """How many textures are where they should be."""
        return NOWHERE if self.textures is None else self.textures.support


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A pose and what speaks for it.

    matches, support: matches by descriptor alone with what views around there see, and those that agree with the pose
    log10_false_alarms: how often chance gives that support
    expected, explained: landmarks that a photo from this pose should show, and how many of them it does; one that may
        have vanished counts less
    spread: how many of the cells over the photo have inliers
    textured: how many textures of floors, ceilings and walls are where they should be
    feature, landmark: (M,) the matches that the pose was refined on; ``estimate.inliers`` is among them
    """

    estimate: PoseEstimate
    matches: int
    support: int
    log10_false_alarms: float
    expected: int
    explained: int
    spread: int
    feature: Indices
    landmark: Indices
    textured: TextureSupport = NOWHERE

    @property
    def inliers(self) -> int:
        """Number of matches that agree with the refined pose."""
        return int(self.estimate.inliers.sum())


@dataclass(frozen=True, kw_only=True)
class Query:
    """A photo's features, its camera, its strongest features compared with views, and the photo itself where textures
    are to be looked for."""

    features: Features
    camera: pycolmap.Camera
    search: ViewSearch
    pyramid: Pyramid | None = None
