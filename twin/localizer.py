"""Finding where a photo was taken: places that it resembles, poses that compete, and the surest one or a refusal."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry import largest_sigma, position_covariance, position_of, probability_within
from perception import Features, Picture
from retrieval import Vocabulary
from twin.candidates import CandidateFinder
from twin.choice import OFTEN_ALIKE, Levels, copied, plausibility, probabilities
from twin.hints import weighed
from twin.hypotheses import Candidate, Query
from twin.landmark_matching import Uprightness, ViewSearch
from twin.landmarks import Landmarks
from twin.localization import Localization, Place, localized, refusal
from twin.localizer_options import LocalizerOptions
from twin.map_uncertainty import MapUncertainty
from twin.place_finder import PlaceFinder, Places
from twin.telltales import Telltale, level_log_odds
from twin.textures import Textures, pyramid_of
from twin.visibility import Viewpoints
from twin.written_evidence import WrittenEvidence

Array = NDArray[np.float64]
Weigh = Callable[[Sequence[pycolmap.Rigid3d]], Array]
"""Likelihoods (C,) of poses by what is known beforehand, as ``twin.hints.Hint.weights``."""

FITTING = 0.05
"""A pose with this share of the best one's probability fits as well, and is named where the photo is ambiguous."""
READ_BELOW = 0.9
"""The probability below which a photo is read in a map of look-alikes; in others that which an answer must have."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Poses that compete for a photo, most probable first, and their probabilities (C,); the rest is for none.

    contradicted: one of them would do, had no hint spoken against it; read: the photo was read, as poses competed
    """

    candidates: list[Candidate]
    probabilities: Array
    contradicted: bool = False
    read: bool = False

    @property
    def best(self) -> Candidate:
        """The most probable one."""
        return self.candidates[0]

    def rivals(self) -> list[int]:
        """Return the indices of the poses that fit about as well as the best, itself first."""
        return np.flatnonzero(self.probabilities >= FITTING * self.probabilities[0]).tolist()


def reweighed(choice: Choice, weights: Array) -> Choice:
    """Return the choice after evidence from elsewhere made each pose so much more probable, ``weights`` (C,)."""
    after = weighed(choice.probabilities, weights)
    order = np.argsort(-after, kind="stable")
    return replace(choice, candidates=[choice.candidates[k] for k in order], probabilities=after[order])


class Localizer:
    """Localizes queries in one map. Loading is done once; ``localize`` is a pure function of its arguments."""

    def __init__(
        self,
        landmarks: Landmarks,
        vocabulary: Vocabulary,
        cams_from_site: Sequence[pycolmap.Rigid3d],
        *,
        down: ArrayLike | None = None,
        storeys: Sequence[float] = (),
        written: WrittenEvidence | None = None,
        textures: Textures | None = None,
        telltales: Sequence[Telltale] = (),
        covariance_scale: float = 1.0,
        map_uncertainty: MapUncertainty | None = None,
        options: LocalizerOptions | None = None,
    ) -> None:
        """Take the parts of a twin; ``cams_from_site`` are the poses of the views of ``landmarks`` in order.

        down: (3,) a direction in site, None where it is unknown: then that of the photos
        storeys: heights of floors in site; what fits one of them is tried on the others
        written: is asked where poses compete, if there is a picture
        textures: of floors, ceilings and walls; are looked for in every picture
        telltales: of the levels that have ``storeys``; are looked at in every picture
        map_uncertainty: is added to every answer's own covariance, which counts the map's poses as exact
        """
        self.landmarks = landmarks
        self.options = options or LocalizerOptions()
        self._places = PlaceFinder(landmarks, vocabulary, cams_from_site, down)
        self._written = written
        self._telltales = tuple(telltales)
        self._storeys = np.sort(np.asarray(storeys, dtype=np.float64))
        self._covariance_scale = covariance_scale
        self._map_uncertainty = map_uncertainty
        self._view_of_observation = landmarks.view_of_observation()
        positions = np.array([position_of(pose) for pose in cams_from_site]).reshape(-1, 3)
        self._textures = textures
        self._candidates = CandidateFinder(
            landmarks, Viewpoints.of(landmarks, positions), storeys, self.options, textures
        )

    def localize(
        self,
        image: str,
        features: Features,
        camera: pycolmap.Camera,
        picture: Picture | None = None,
        weigh: Weigh | None = None,
    ) -> Localization:
        """Return the pose of one photo, or a refusal with its reason. ``seconds`` counts from here."""
        return self.localize_with_choice(image, features, camera, picture, weigh)[0]

    def localize_with_choice(
        self,
        image: str,
        features: Features,
        camera: pycolmap.Camera,
        picture: Picture | None = None,
        weigh: Weigh | None = None,
    ) -> tuple[Localization, Choice | None]:
        """As ``localize``, with the poses behind the answer (for pictures, reports and checks), if there were any."""
        start = time.perf_counter()
        if len(features) < self.options.min_inliers:
            return refusal(image, f"only {len(features)} features: the photo is flat, dark or blurred"), None
        places = self._places.find(features)
        coarse = self._places.guesses(places)
        upright = None
        if places.roll is not None:
            upright = Uprightness(roll=places.roll, orientations=self._places.orientations)
        strongest = features.take(slice(self.options.search_features))
        search = ViewSearch(strongest, self.landmarks, upright)
        pyramid = None if picture is None or self._textures is None else pyramid_of(picture.gray)
        query = Query(features=features, camera=camera, search=search, pyramid=pyramid)
        candidates = self._candidates.find(query, places.groups)
        if not candidates:
            seconds = time.perf_counter() - start
            return refusal(image, "nothing in the twin looks like this photo", coarse=coarse, seconds=seconds), None
        choice = self._choose(candidates, camera, picture, weigh)
        return self.answer(image, choice, coarse=coarse, seconds=time.perf_counter() - start), choice

    def answer(self, image: str, choice: Choice, *, coarse: Sequence[Place] = (), seconds: float = 0.0) -> Localization:
        """Return the answer that the poses behind it give; ``coarse`` are the places that the photo resembles."""
        best = choice.best
        pose, covariance = best.estimate.cam_from_site, self._covariance(best)
        reason = self._reason_to_refuse(choice, covariance)
        if reason:
            fitting = self._fitting(choice)
            return refusal(image, reason, coarse=fitting or coarse, inliers=best.inliers, seconds=seconds)
        return localized(
            image,
            pose,
            covariance,
            confidence=float(choice.probabilities[0]) * precision(pose, covariance),
            inliers=best.inliers,
            coarse=coarse,
            seconds=seconds,
        )

    def places_of(self, features: Features) -> Places:
        """Return where in the map a photo's features vote that it was taken, before any pose is tried."""
        return self._places.find(features)

    def confidence(self, choice: Choice) -> float:
        """Return the probability that the best pose is within 0.25 m and 2 deg, whether it is refused or not."""
        pose = choice.best.estimate.cam_from_site
        return float(choice.probabilities[0]) * precision(pose, self._covariance(choice.best))

    def _choose(
        self, candidates: list[Candidate], camera: pycolmap.Camera, picture: Picture | None, weigh: Weigh | None
    ) -> Choice:
        plausible = plausibility(candidates, self.options.usual_noise)
        written, levels = np.zeros((2, len(candidates))), self.levels_of(candidates, camera, picture)
        copies = copied(candidates)
        probable = probabilities(plausible, written[0], self.options.alike, levels, copies=copies)
        contested = np.flatnonzero(probable >= FITTING * probable.max())
        enough = self.options.min_probability
        if (self.options.alike or 0.0) >= OFTEN_ALIKE:
            enough = max(enough, READ_BELOW)
        undecided = probable.max() < enough and plausible.max() > 0.0
        asked = None
        if undecided and picture is not None and self._written is not None:
            asked = self._written
            poses = [candidates[k].estimate.cam_from_site for k in contested]
            read = asked.log_odds(picture, camera, poses)
            written[:, contested] = read.log_odds, read.shared
            of_level = asked.level_log_odds(picture, camera, poses)
            if of_level is not None:
                # What names a level speaks for all poses on it, and not once more for those that expect it there.
                levels, written[0, contested] = replace(levels, log_odds=of_level), read.log_odds - read.naming
            probable = probabilities(plausible, written[0], self.options.alike, levels, written[1], copies=copies)
        contradicted = False
        if weigh is not None:
            would_do = probable.max() >= self.options.min_probability
            probable = weighed(probable, weigh([each.estimate.cam_from_site for each in candidates]))
            contradicted = bool(would_do and probable.max() < self.options.min_probability)
        order = np.argsort(-probable, kind="stable")
        return Choice(
            candidates=[candidates[k] for k in order],
            probabilities=probable[order],
            contradicted=contradicted,
            read=asked is not None,
        )

    def levels_of(
        self, candidates: Sequence[Candidate], camera: pycolmap.Camera, picture: Picture | None = None
    ) -> Levels:
        """Return the levels that poses are on, by what the picture shows there, before anything was read."""
        poses = [candidate.estimate.cam_from_site for candidate in candidates]
        level = np.searchsorted(self._storeys, [position_of(pose)[2] for pose in poses]) - 1
        shown = np.zeros((len(poses), len(self._storeys)))
        copies = (self._copies(poses) & (level >= 0) & (level >= 0)[:, None]) | np.eye(len(poses), dtype=np.bool_)
        if picture is not None and self._telltales:
            for family in np.unique(copies[level >= 0], axis=0):
                of_place = np.flatnonzero(family & (level >= 0))
                told = level_log_odds(
                    self._telltales, picture.gray, camera, [poses[row] for row in of_place], level[of_place].tolist()
                )
                shown[of_place] = 0.0 if told is None else told
        verified = np.array([self._candidates.is_verified(candidate) for candidate in candidates], dtype=np.bool_)
        likely = np.array([self._candidates.is_likely(candidate) for candidate in candidates], dtype=np.bool_)
        return Levels(
            level=level,
            log_odds=np.zeros(len(self._storeys)),
            shown=shown,
            copies=copies,
            verified=verified | (likely & (copies & verified).any(axis=1)),
        )

    def _copies(self, poses: Sequence[pycolmap.Rigid3d]) -> NDArray[np.bool_]:
        """Tell which poses are at the same place of some level, (C, C), each of its own too."""
        same = np.eye(len(poses), dtype=np.bool_)
        for row, pose in enumerate(poses):
            for copy in self._candidates.on_other_storeys(pose):
                same[row] |= [not self._candidates.are_distinct(copy, other) for other in poses]
        return same

    def _reason_to_refuse(self, choice: Choice, covariance: Array) -> str | None:
        options, best = self.options, choice.best
        support = f"{best.support} of {best.matches} matches agree on a pose"
        likely = self._candidates.is_likely(best)
        few = min(best.support, best.inliers) < options.min_inliers
        if not likely and (few or best.log10_false_alarms > options.max_log10_false_alarms):
            return f"{support}: no more than chance would give"
        if not likely and best.estimate.noise_scale > options.max_noise_scale:
            ratio = best.estimate.noise_scale / options.max_noise_scale
            return f"fits badly: residuals are {ratio:.1f} times larger than this map allows"
        if choice.contradicted:
            return f"contradicts the hint: {support} elsewhere than the hint says"
        if not choice.probabilities[0] >= options.min_probability:
            places = self._fitting(choice)
            if len(places) > 1:
                shares = ", ".join(f"{place.probability:.2f}" for place in places)
                return f"ambiguous: {len(places)} places fit about equally well ({shares})"
            if np.exp(copied([best])[0]) > 1.0 / options.min_probability - 1.0:
                seen = f"{best.textured.found} of {best.textured.looked_for} textures of floor, ceiling and walls"
                return f"another building after the same plan: {support}, but {seen} are there"
            shown = f"{best.explained} of {best.expected} landmarks that it should show are there"
            return f"look-alike: {support}, but {shown}"
        sigma_m = largest_sigma(position_covariance(best.estimate.cam_from_site, covariance))
        sigma_deg = np.degrees(largest_sigma(covariance[:3, :3]))
        if sigma_m > options.max_sigma_m or sigma_deg > options.max_sigma_deg:
            return f"weakly determined: sigma {sigma_m:.2f} m and {sigma_deg:.1f} deg from {best.inliers} matches"
        return None

    def _fitting(self, choice: Choice) -> list[Place]:
        """Return the poses that fit as coarse places, where some pose is plausible at all.

        In a map whose places have look-alikes, so may have those that were not found: above and below the best one.
        """
        if plausibility([choice.best], self.options.usual_noise)[0] <= 0.0:
            return []
        rivals = [choice.candidates[k].estimate.cam_from_site for k in choice.rivals()]
        shares = choice.probabilities[choice.rivals()].tolist()
        unseen = [] if (self.options.alike or 0.0) < OFTEN_ALIKE else self._candidates.on_other_storeys(rivals[0])
        unseen = [pose for pose in unseen if all(self._candidates.are_distinct(pose, rival) for rival in rivals)]
        shares += [(1.0 - float(choice.probabilities.sum())) / len(unseen) for _ in unseen]
        radius = 2.0 * largest_sigma(position_covariance(rivals[0], self._covariance(choice.best)))
        return [
            Place(position=tuple(position_of(pose).tolist()), radius_m=radius, probability=share)
            for pose, share in zip([*rivals, *unseen], shares, strict=True)
        ]

    def _covariance(self, candidate: Candidate) -> Array:
        """Return the covariance (6, 6) of a pose in site: its own, widened as the map's check and another day ask, and
        the map's.
        """
        own = candidate.estimate.covariance * self._covariance_scale * self.options.another_day
        if self._map_uncertainty is None:
            return own
        used = np.zeros(len(self.landmarks), dtype=np.bool_)
        used[candidate.landmark[candidate.estimate.inliers]] = True
        views = self._view_of_observation[used[self.landmarks.landmark]]
        weights = np.bincount(views, minlength=len(self.landmarks.views))
        return own + self._map_uncertainty.pose_covariance(candidate.estimate.cam_from_site, weights)


def precision(pose: pycolmap.Rigid3d, covariance: Array) -> float:
    """Return the probability that a pose in the right place is within 0.25 m and 2 deg, by its covariance (6, 6)."""
    near = probability_within(position_covariance(pose, covariance), 0.25)
    turned = probability_within(covariance[:3, :3], np.radians(2.0))
    return float(near * turned)
