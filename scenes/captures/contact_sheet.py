"""A few draft pictures of a facility on one sheet: as it is walked, as queries see it, as its cameras see it."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pycolmap
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from geometry.cameras import scaled
from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from scenes.building import build_facility
from scenes.captures.day import OTHER_DAY, SURVEY_DAY, draw_day, world_of
from scenes.captures.mounting import mounted_cameras
from scenes.captures.options import CaptureOptions
from scenes.captures.phone import Phone
from scenes.captures.plan_picture import plan_picture
from scenes.captures.queries import query_views
from scenes.captures.views import View
from scenes.captures.walk import walk_views
from scenes.checks import check
from scenes.facility import Facility
from scenes.materials.lettering import font
from scenes.plan import floor_plan
from scenes.rendering import World

Picture = NDArray[np.uint8]

COLUMNS = 3
WALK, QUERIES, FIXED = 4, 3, 2
TILE_PX = (480, 360)
GAP_PX, CAPTION_PX = 8, 24
PAPER, INK = (250, 250, 247), (40, 44, 50)


def contact_sheet(
    facility: Facility,
    seed: int = 0,
    options: CaptureOptions | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Picture:
    """Return about nine pictures of a facility with captions: (H, W, 3) uint8 sRGB.

    By default in draft quality; of ``options``, quality and size count. Raises ``InputError`` for a facility that
    ``scenes.checks`` refuses.
    """
    check(facility)
    options = options or CaptureOptions(quality="draft", width=TILE_PX[0], height=TILE_PX[1])
    plan, building, camera = floor_plan(facility), build_facility(facility), options.phone
    walk = _walk_views(facility, plan, camera, seed)
    total = len(walk) + QUERIES + min(FIXED, len(facility.cameras))
    phone = Phone(seed=(seed,), rendering=options.rendering, stops=0.0)
    tiles: list[Picture] = []

    def take(world: World, views: Sequence[View], name: str) -> None:
        for index, view in enumerate(views):
            tiles.append(_captioned(phone.picture(world, views, index), " ".join([name, view.sequence, view.level])))
            on_progress(len(tiles), total)

    survey, other = (
        draw_day(facility, plan, building, np.random.default_rng([seed, number]), kind)
        for number, kind in enumerate((SURVEY_DAY, OTHER_DAY))
    )
    world = world_of(facility, building, survey, options.light)
    take(world, walk, "walk")
    take(world, _fixed_views(facility), "camera")
    world = world_of(facility, building, other, options.light)
    take(world, query_views(plan, other, world.raycaster, camera, seed=(seed,), count=QUERIES), "query")
    return _sheet(tiles)


def moved_sheet(facility: Facility, seed: int = 0, options: CaptureOptions | None = None) -> Picture:
    """Return what the first three cameras that hang otherwise than installed see: above as installed, below as now.

    (H, W, 3) uint8 sRGB; ``options`` as in ``contact_sheet``. Raises ``InputError`` where no camera has moved.
    """
    options = options or CaptureOptions(quality="draft")
    installed, true = mounted_cameras(facility)
    moved = [
        i for i, camera in enumerate(true) if camera.pose().matrix().tolist() != installed[i].pose().matrix().tolist()
    ]
    if not moved:
        raise InputError("no camera has moved since it was installed", where=facility.name)
    building, plan = build_facility(facility), floor_plan(facility)
    day = draw_day(facility, plan, building, np.random.default_rng([seed, 0]), SURVEY_DAY)
    world, phone = world_of(facility, building, day, options.light), Phone(seed=(seed,), rendering=options.rendering)
    states = {"as installed": installed, "as it hangs now": true}
    return _sheet([
        _captioned(phone.picture(world, [view], 0), f"{view.sequence} {state}")
        for state, cameras in states.items()
        for view in _views_of(cameras[i] for i in moved[:COLUMNS])
    ])  # fmt: skip


def _walk_views(facility: Facility, plan: FloorPlan, camera: pycolmap.Camera, seed: int) -> list[View]:
    """Return some pictures of the walk, none where there is none."""
    if not facility.walks:
        return []
    walk = walk_views(facility, plan, camera, np.random.default_rng(seed))
    return [walk[i] for i in np.linspace(0, len(walk) - 1, WALK + 2).astype(int)[1:-1]]


def _fixed_views(facility: Facility) -> list[View]:
    """Return some of the fixed cameras, from the first to the last."""
    cameras = mounted_cameras(facility).true
    return _views_of(cameras[i] for i in np.linspace(0, len(cameras) - 1, min(FIXED, len(cameras))).astype(int))


def _views_of(cameras: Iterable[FixedCamera]) -> list[View]:
    """Return what cameras see, with pictures as wide as a tile."""
    return [
        View(
            image=f"{camera.id}.jpg",
            camera=scaled(camera.camera(), TILE_PX[0], round(TILE_PX[0] * camera.height / camera.width)),
            cam_from_site=camera.pose(),
            time=0.0,
            level=camera.level,
            sequence=camera.id,
        )
        for camera in cameras
    ]


def _captioned(picture: Picture, caption: str) -> Picture:
    """Fit a picture into a tile with its caption below."""
    tile = Image.new("RGB", (TILE_PX[0] + GAP_PX, TILE_PX[1] + CAPTION_PX), PAPER)
    image = Image.fromarray(picture)
    image.thumbnail(TILE_PX, Image.Resampling.LANCZOS)
    tile.paste(image, ((TILE_PX[0] - image.width) // 2, (TILE_PX[1] - image.height) // 2))
    text = ImageDraw.Draw(tile)
    text.text((4, TILE_PX[1] + CAPTION_PX // 2), " ".join(caption.split()), fill=INK, font=font(13), anchor="lm")
    return np.array(tile)


def _sheet(tiles: Sequence[Picture]) -> Picture:
    rows = -(-len(tiles) // COLUMNS)
    height, width = tiles[0].shape[:2]
    sheet = np.full((rows * height, COLUMNS * width, 3), PAPER, dtype=np.uint8)
    for index, tile in enumerate(tiles):
        y, x = height * (index // COLUMNS), width * (index % COLUMNS)
        sheet[y : y + height, x : x + width] = tile
    return sheet


def overview(
    facility: Facility, seed: int = 0, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Picture:
    """Return the plan of a facility above its contact sheet: (H, W, 3) uint8 sRGB."""
    sheet = contact_sheet(facility, seed, on_progress=on_progress)
    plan = plan_picture(floor_plan(facility), mounted_cameras(facility).true, width_px=sheet.shape[1])
    return np.vstack([plan, sheet])
