"""What to capture of a facility, and how well."""

from dataclasses import dataclass
from typing import Literal, get_args

import pycolmap

from geometry.cameras import camera_from_params
from geometry.errors import InputError, nearest_known
from scenes.rendering import DRAFT, DRAFT_LIGHT, FULL, LightOptions, RenderOptions

Capture = Literal["walk", "queries", "fixed"]
Quality = Literal["draft", "full"]
CAPTURES: tuple[Capture, ...] = get_args(Capture)

FOCAL_RATIO = 0.78
"""The phone's focal length over its picture's width: 65 degrees wide, as a phone's main camera records video."""
DISTORTION = -0.02


@dataclass(frozen=True, kw_only=True)
class CaptureOptions:
    """What to capture.

    captures: any of walk, queries, fixed; queries: photos; seconds, fps: of the fixed cameras' recording
    min_seen: queries must show surfaces of which the walk saw at least this share, see ``scenes.captures.seen``
    walk_frames: at most this many, spread evenly, None for one every step; levels: only these, None for all
    width, height: of the phone's pictures, pixels; fixed cameras have their own
    seed: of everything that happens by chance
    """

    captures: tuple[Capture, ...] = CAPTURES
    queries: int = 60
    min_seen: float = 0.0
    seconds: float = 20.0
    fps: float = 5.0
    quality: Quality = "full"
    seed: int = 0
    width: int = 640
    height: int = 480
    walk_frames: int | None = None
    levels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for capture in self.captures:
            if capture not in CAPTURES:
                raise InputError(f"there is no capture '{capture}'", remedy=nearest_known(capture, CAPTURES))
        if self.quality not in get_args(Quality):
            raise InputError(f"there is no quality '{self.quality}'", remedy="Known: draft, full.")
        bounds = {
            "queries": (0, 100_000), "min_seen": (0.0, 0.9), "seconds": (0, 86_400), "fps": (0.01, 120),
            "seed": (0, 2**63 - 1), "width": (32, 8192), "height": (32, 8192), "walk_frames": (2, 100_000),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} is {low} to {high}, got {value}")

    @property
    def rendering(self) -> RenderOptions:
        """How pictures are rendered."""
        return FULL if self.quality == "full" else DRAFT

    @property
    def light(self) -> LightOptions:
        """How finely light is computed."""
        return LightOptions() if self.quality == "full" else DRAFT_LIGHT

    @property
    def phone(self) -> pycolmap.Camera:
        """The camera of the walk and of the queries."""
        params = [FOCAL_RATIO * max(self.width, self.height), self.width / 2, self.height / 2, DISTORTION]
        return camera_from_params("SIMPLE_RADIAL", self.width, self.height, params)
