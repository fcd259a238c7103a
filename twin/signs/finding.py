"""Signs of a site from photos with known poses: read, gather what is one text, fit rectangles, fuse the strings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geometry.cameras import unproject
from geometry.errors import DegenerateError, InputError
from geometry.floorplan import FloorPlan
from geometry.frames import position_of
from geometry.uncertainty import largest_sigma
from perception.images import read_image
from perception.reading import TextReader, TextReading, board_outline
from twin.landmarks import Landmarks
from twin.progress import Progress, silent
from twin.signs.association import AssociationOptions, Sightings, associate, nearest_point
from twin.signs.depths import text_depths
from twin.signs.kinds import kind_of, level_of, on_pillar, said_once
from twin.signs.landmark import SignLandmark
from twin.signs.rectangle import Rectangle, fit_rectangle
from twin.signs.text_fusion import FusedText, fuse_texts, usual_spelling

if TYPE_CHECKING:  # mapping may look for signs itself
    from twin.map_uncertainty import MapUncertainty
    from twin.photos import MapPhoto

Array = NDArray[np.float64]

MIN_UP = 0.2
"""Where the site's up is nearer to the optical axis (sine of the angle), no direction in the picture is up."""
SAME_HEIGHT = 0.12
MIN_BOARD, MAX_BOARD = 0.75, 4.0
"""Heights of a board, of its text's; a text's quad has room around the letters."""
MAX_SIZE_SIGMA = 0.3
"""Relative, of a board's width and height: seen edge-on by all, it might be of any width."""
MAX_BOARD_SIGMAS = 2.0
"""A board whose place is less certain than its text's by more than this says nothing."""


@dataclass(frozen=True, kw_only=True)
class SignOptions:
    """How signs are placed.

    min_confidence: of a reading to be placed at all, the probability of its text
    min_probability: of a landmark's text; less likely ones are not reported
    text_sigma, board_sigma: of a corner's coordinate, in heights of the text and of the board, least_sigma_px at least
    position_floor: metres, a sigma added for what rectangles don't model: the depth of boards, text beside the middle
    vocabulary: words that texts may be, weighed along with what was read
    """

    min_confidence: float = 0.02
    min_probability: float = 0.2
    text_sigma: float = 0.1
    board_sigma: float = 0.05
    least_sigma_px: float = 1.0
    position_floor: float = 0.02
    vocabulary: tuple[str, ...] = ()
    association: AssociationOptions = field(default_factory=AssociationOptions)


@dataclass(frozen=True, kw_only=True, eq=False)
class PhotoReading:
    """A reading of a map photo: ``photo`` is its index, ``board`` (4, 2) px the outline around the text, if any."""

    photo: int
    reading: TextReading
    board: Array | None


def find_signs(
    photos: Sequence["MapPhoto"],
    reader: TextReader,
    plan: FloorPlan | None = None,
    options: SignOptions | None = None,
    on_progress: Progress = silent,
    *,
    landmarks: Landmarks | None = None,
) -> list[SignLandmark]:
    """Return the texts that stand in the site, vehicles' among them (``permanent`` tells), most viewed first.

    The photos' poses are in site and count as exact. With a plan, levels are named and vehicles told by stalls and
    lanes; without, number plates only, by their pattern and size. The map's landmarks tell how far away texts are, so
    that rays that meet by chance are no sign. A text needs two photos from different places.
    """
    return place_signs(photos, read_photos(photos, reader, on_progress), plan, options, landmarks=landmarks)


def read_photos(photos: Sequence["MapPhoto"], reader: TextReader, on_progress: Progress = silent) -> list[PhotoReading]:
    """Read all photos, each upright as its pose says."""
    found = []
    for number, photo in enumerate(photos):
        pixels = read_image(photo.path, name=photo.name).pixels
        for reading in reader.read(pixels, up=_up_in_picture(photo)):
            found.append(PhotoReading(photo=number, reading=reading, board=board_outline(pixels, reading.quad)))
        on_progress("reading signs", number + 1, len(photos))
    return found


def place_signs(
    photos: Sequence["MapPhoto"],
    readings: Sequence[PhotoReading],
    plan: FloorPlan | None = None,
    options: SignOptions | None = None,
    *,
    landmarks: Landmarks | None = None,
    uncertainty: "MapUncertainty | None" = None,
) -> list[SignLandmark]:
    """Return the texts of readings of ``photos`` as landmarks in site; see ``find_signs``.

    uncertainty: of the map whose views ``photos`` are, in their order; without it poses count as exact

    With a plan, what is on none of its levels is left out: rays that met by chance, or something outside of the site.
    """
    options = options or SignOptions()
    # At the edge of a distorted picture a pixel may have no ray.
    kept = [
        r
        for r in readings
        if r.reading.confidence >= options.min_confidence
        and np.isfinite(np.asarray(photos[r.photo].camera.cam_from_img(r.reading.quad))).all()
    ]
    groups = associate(_sightings(photos, kept, landmarks), options.association)
    placed = [_place(photos, [kept[i] for i in group.tolist()], options) for group in groups]
    distinct = _without_fragments(one for one in placed if one is not None)
    certain = [one for one in distinct if one.fused.probability >= options.min_probability]
    signs = [_landmark(photos, one, plan, options, number, uncertainty) for number, one in enumerate(certain, start=1)]
    return [sign for sign in signs if plan is None or sign.level]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Placed:
    """A text placed: its views, its string, its rectangle and that of the board around it."""

    views: list[PhotoReading]
    fused: FusedText
    text: Rectangle
    board: Rectangle | None


def _place(photos: Sequence["MapPhoto"], views: list[PhotoReading], options: SignOptions) -> _Placed | None:
    """Fit the rectangles of one text and fuse its readings; None where its place stays undetermined."""
    fused = fuse_texts([view.reading.log_frames for view in views], options.vocabulary)
    whole = [v for v in views if v.reading.folded == fused.text]
    fitted = whole if len(whole) >= 2 else views
    start = _start(photos, fitted)
    try:
        text = _fit(photos, [(v.photo, v.reading.quad) for v in fitted], start, options.text_sigma, options)
    except DegenerateError:
        return None
    outlines = [(v.photo, v.board) for v in views if v.board is not None]
    return _Placed(views=views, fused=fused, text=text, board=_board(photos, outlines, text, options))


def _board(
    photos: Sequence["MapPhoto"], outlines: list[tuple[int, Array]], text: Rectangle, options: SignOptions
) -> Rectangle | None:
    """Return the board around a text; None where no outline makes a sensible rectangle that holds the text."""
    alike = _of_one_height(photos, outlines, text)
    if not alike:
        return None
    try:
        board = _fit(photos, alike, text.centre, options.board_sigma, options)
    except (DegenerateError, InputError):  # too few or too near each other: the text's plane helps
        board = _on_plane_of(text, photos[alike[0][0]], alike[0][1])
    if largest_sigma(board.covariance[:3, :3]) > MAX_BOARD_SIGMAS * largest_sigma(text.covariance[:3, :3]):
        return None
    if max(board.covariance[6, 6], board.covariance[7, 7]) > MAX_SIZE_SIGMA**2:
        return None
    aside = np.abs(board.axes.T @ (text.centre - board.centre))
    holds = (aside < [board.width / 2, board.height / 2, text.height]).all()
    return board if holds and MIN_BOARD < board.height / text.height < MAX_BOARD else None


def _of_one_height(
    photos: Sequence["MapPhoto"], outlines: list[tuple[int, Array]], text: Rectangle
) -> list[tuple[int, Array]]:
    """Keep the outlines that would be equally high at the text's place; those that leak into the wall are higher."""
    if not outlines:
        return []
    heights = np.array([_height_px(quad) * _metres_per_px(photos[number], text.centre) for number, quad in outlines])
    usual = np.percentile(heights, 25)
    return [one for one, height in zip(outlines, heights, strict=True) if abs(height / usual - 1) < SAME_HEIGHT]


def _on_plane_of(text: Rectangle, photo: "MapPhoto", quad: Array) -> Rectangle:
    """Return the rectangle around a quad (4, 2) px on the plane of a text."""
    rays = unproject(photo.camera, quad) @ photo.cam_from_site.rotation.matrix()
    eye = position_of(photo.cam_from_site)
    along = (text.centre - eye) @ text.normal / (rays @ text.normal)
    corners = (eye + along[:, None] * rays - text.centre) @ text.axes
    left, right = corners[[0, 3], 0].mean(), corners[[1, 2], 0].mean()
    low, high = corners[[2, 3], 1].mean(), corners[[0, 1], 1].mean()
    centre = text.centre + text.axes @ np.array([(left + right) / 2, (low + high) / 2, 0.0])
    return replace(text, centre=centre, width=float(abs(right - left)), height=float(abs(high - low)))


def _height_px(quad: Array) -> float:
    return float(np.linalg.norm(quad[[0, 1]] - quad[[3, 2]], axis=1).mean())


def _metres_per_px(photo: "MapPhoto", point: Array) -> float:
    return float(np.linalg.norm(position_of(photo.cam_from_site) - point)) / photo.camera.mean_focal_length()


def _fit(
    photos: Sequence["MapPhoto"], quads: list[tuple[int, Array]], start: Array, sigma: float, options: SignOptions
) -> Rectangle:
    corners, poses, sigmas = [], [], []
    for number, quad in quads:
        photo = photos[number]
        corners.append(np.asarray(photo.camera.cam_from_img(quad)))
        poses.append(photo.cam_from_site.matrix())
        sigmas.append(max(options.least_sigma_px, sigma * _height_px(quad)) / photo.camera.mean_focal_length())
    return fit_rectangle(corners, poses, sigmas, start)


def _without_fragments(placed: Iterable[_Placed]) -> list[_Placed]:
    """Leave out texts whose middle lies on another one that more views read, such as STAIRS of STAIRS P1."""
    kept: list[_Placed] = []
    for one in placed:
        if not any(_lies_on(one.text, other.text) for other in kept):
            kept.append(one)
    return kept


def _lies_on(text: Rectangle, other: Rectangle) -> bool:
    aside = np.abs(other.axes.T @ (text.centre - other.centre))
    on = (aside < [other.width / 2, other.height / 2, max(other.height, other.width / 2)]).all()
    return bool(on and text.normal @ other.normal > 0)


def _landmark(
    photos: Sequence["MapPhoto"],
    one: _Placed,
    plan: FloorPlan | None,
    options: SignOptions,
    number: int,
    uncertainty: "MapUncertainty | None",
) -> SignLandmark:
    shape = one.board or one.text
    folded, probability, alternatives = one.fused.text, one.fused.probability, one.fused.alternatives
    half = said_once(folded)
    if plan is not None and on_pillar(plan, shape.centre):
        folded = half
    elif half != folded and (plan is None or not plan.pillars):
        # Two faces of a pillar that no plan shows, or a text that says the same twice: as likely as each other.
        probability /= 2
        alternatives = ((half, probability), *alternatives)
    eyes = [position_of(photos[view.photo].cam_from_site)[2] for view in one.views]
    kind = kind_of(
        plan,
        shape.centre,
        shape.normal,
        text=folded,
        letter_height=one.text.height,
        lowest_eye=min(eyes),
        outlined=one.board is not None,
    )
    covariance = shape.covariance[:3, :3] + options.position_floor**2 * np.eye(3)
    if uncertainty is not None:
        covariance += uncertainty.point_covariance(shape.centre, [view.photo for view in one.views])
    return SignLandmark(
        id=f"sign {number}",
        level=level_of(plan, shape.centre + 0.3 * shape.normal),
        position=_triple(shape.centre),
        normal=_triple(shape.normal),
        text=usual_spelling([view.reading.text for view in one.views], folded),
        width=shape.width,
        height=shape.height,
        letter_height=one.text.height,
        probability=probability,
        alternatives=alternatives,
        covariance=(_triple(covariance[0]), _triple(covariance[1]), _triple(covariance[2])),
        views=len(one.views),
        kind=kind,
    )


def _sightings(
    photos: Sequence["MapPhoto"], readings: Sequence[PhotoReading], landmarks: Landmarks | None = None
) -> Sightings:
    origins, directions, angles = [], [], []
    for one in readings:
        photo, quad = photos[one.photo], one.reading.quad
        pixels = np.vstack([quad.mean(axis=0), quad[[0, 1]].mean(axis=0), quad[[3, 2]].mean(axis=0)])
        rays = unproject(photo.camera, pixels)
        origins.append(position_of(photo.cam_from_site))
        directions.append(rays[0] @ photo.cam_from_site.rotation.matrix())
        angles.append(float(np.linalg.norm(rays[1] - rays[2])))
    eyes = np.reshape(origins, (-1, 3))
    depths = np.full(len(eyes), np.nan)
    if landmarks is not None:
        view_of = {name: view for view, name in enumerate(landmarks.views)}
        views = [view_of.get(photos[one.photo].name, -1) for one in readings]
        depths = text_depths(landmarks, views, [one.reading.quad for one in readings], eyes)
    return Sightings(
        photos=np.array([one.photo for one in readings], dtype=np.int64),
        origins=eyes,
        directions=np.reshape(directions, (-1, 3)),
        angles=np.array(angles),
        texts=[one.reading.folded for one in readings],
        depths=depths,
    )


def _start(photos: Sequence["MapPhoto"], views: Sequence[PhotoReading]) -> Array:
    sightings = _sightings(photos, views)
    return nearest_point(sightings.origins, sightings.directions, sightings.angles**2)


def _up_in_picture(photo: "MapPhoto") -> Array | None:
    """Return where the site's up is in the picture (2,), None for a camera that looks straight up or down."""
    up = photo.cam_from_site.rotation.matrix()[:2, 2]
    length = float(np.linalg.norm(up))
    return up / length if length > MIN_UP else None


def _triple(values: Array) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
