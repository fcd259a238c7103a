"""A window to look around in, by Open3D's visualizer; keys show and hide layers and levels.

It needs a display and OpenGL, which software gives as well (Mesa's llvmpipe). Where drawing takes longer than
``SLOW_S``, fewer landmarks are shown: half as many until it does not, ``LEAST_POINTS`` at least. They were shuffled
once, so that any number of them is a fair sample.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from geometry import TiepointError
from twin.export.parts import textured_mesh
from twin.surface import Surface
from twin.viewer.contents import Contents, tracks_until
from twin.viewer.layers import Lines
from twin.viewer.picture import BACKGROUND, LINE_PX, POINT_PX, SHOWN, of_level
from twin.viewer.viewpoint import Viewpoint, overview, through

logger = logging.getLogger(__name__)

SLOW_S = 1 / 15
LEAST_POINTS = 20_000
FRAMES_TIMED = 5
FAR_M, NEAR_M = 2000.0, 0.05
STEPS = 20
"""Of the time of tracks, by the keys for earlier and later."""
KEYS = """1 surface, 2 landmarks, 3 walk, 4 fixed cameras, 5 plan, 6 tracks, 7 photos: show or hide
L next level, all after the last; M next colours of landmarks; C through the next fixed camera; O overview
comma and full stop: tracks earlier, later; P picture into the folder; H this help; Q leave"""


class Window:
    """Open3D's window with the layers of a twin. ``draw`` shows changes; ``run`` lets a person look around."""

    def __init__(
        self, contents: Contents, *, tracks: Any = (), size: tuple[int, int] = (1280, 960), visible: bool = True
    ):
        """Open it. Raises ``TiepointError`` where there is no display."""
        self.contents, self.tracks = contents, sorted(tracks, key=lambda row: row.time)
        self.shown, self.level, self.mode = set(SHOWN), None, "photo"  # type: tuple[set[str], int | None, str]
        self.until, self.camera, self._pictures = STEPS, -1, 0
        self.most_points = max(len(contents.landmarks), 1)
        self._order = np.random.default_rng(0).permutation(len(contents.landmarks))
        self._window = o3d.visualization.VisualizerWithKeyCallback()
        width, height = size
        if not self._window.create_window("Tiepoint", width=width, height=height, visible=visible):
            raise TiepointError(
                "no window could be opened", remedy="Set DISPLAY, run under xvfb-run, or use --save for a picture."
            )
        options = self._window.get_render_option()
        options.background_color = np.array(BACKGROUND) / 255
        options.point_size, options.line_width = float(POINT_PX), float(LINE_PX)
        options.light_on, options.mesh_show_back_face = False, True
        self._size = size
        self._drawn: dict[str, Any] = {}
        self._register()
        self.draw()
        self.look(overview(contents.around, width, height))

    def look(self, viewpoint: Viewpoint) -> None:
        """Look from a viewpoint; its focal length is kept in proportion to the window's height."""
        width, height = self._size
        focal = viewpoint.camera.focal_length_y * height / viewpoint.camera.height
        parameters = o3d.camera.PinholeCameraParameters()
        parameters.intrinsic = o3d.camera.PinholeCameraIntrinsic(
            width, height, focal, focal, width / 2 - 0.5, height / 2 - 0.5
        )
        extrinsic = np.eye(4)
        extrinsic[:3] = viewpoint.cam_from_site.matrix()
        parameters.extrinsic = extrinsic
        control = self._window.get_view_control()
        control.convert_from_pinhole_camera_parameters(parameters, True)
        control.set_constant_z_near(NEAR_M)
        control.set_constant_z_far(FAR_M)

    def draw(self) -> None:
        """Show the layers as they are chosen now."""
        first = not self._drawn  # Open3D shows nothing until it has once fitted its view to something
        for geometry in self._drawn.values():
            self._window.remove_geometry(geometry, reset_bounding_box=False)
        self._drawn = self._geometries()
        for geometry in self._drawn.values():
            self._window.add_geometry(geometry, reset_bounding_box=first)

    def picture(self) -> NDArray[np.uint8]:
        """Return what the window shows, (H, W, 3)."""
        self._window.poll_events()
        self._window.update_renderer()
        seen = np.asarray(self._window.capture_screen_float_buffer(do_render=True))
        return (seen * 255 + 0.5).astype(np.uint8)

    def seconds_a_frame(self, frames: int = FRAMES_TIMED) -> float:
        """Return how long drawing takes, the median of some frames."""
        taken = []
        for _ in range(frames):
            begun = time.perf_counter()
            self._window.poll_events()
            self._window.update_renderer()
            taken.append(time.perf_counter() - begun)
        return float(np.median(taken))

    def thin(self) -> int:
        """Show fewer landmarks until a frame takes less than ``SLOW_S``; return how many may be shown."""
        while self.seconds_a_frame() > SLOW_S and self.most_points > LEAST_POINTS:
            self.most_points = max(self.most_points // 2, LEAST_POINTS)
            self.draw()
            logger.warning("drawing is slow: at most %d landmarks are shown", self.most_points)
        return self.most_points

    def run(self) -> None:
        """Let a person look around until the window is closed."""
        self.thin()
        self._window.run()
        self.close()

    def close(self) -> None:
        """Close the window."""
        self._window.destroy_window()

    def toggle(self, layer: str) -> None:
        """Show or hide a layer."""
        self.shown ^= {layer}
        self.draw()

    def next_level(self) -> None:
        """Show the next level alone, and all of them after the last."""
        number = -1 if self.level is None else self.level
        self.level = None if number + 1 >= len(self.contents.storeys) else number + 1
        self.draw()

    def next_mode(self) -> None:
        """Colour the landmarks by the next of the modes."""
        modes = list(self.contents.modes)
        self.mode = modes[(modes.index(self.mode) + 1) % len(modes)]
        self.draw()

    def next_camera(self) -> None:
        """Look through the next fixed camera."""
        if self.contents.cameras:
            self.camera = (self.camera + 1) % len(self.contents.cameras)
            self.look(through(self.contents.cameras[self.camera]))

    def step_time(self, by: int) -> None:
        """Show tracks up to an earlier or a later time."""
        self.until = min(max(self.until + by, 0), STEPS)
        self.draw()

    def _geometries(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if "surface" in self.shown and self.contents.surface is not None:
            made["surface"] = _mesh(self.contents.surface, self.contents.storeys, self.level)
        for name, layer in self.contents.layers.items():
            if name in self.shown:
                chosen = self._tracks_so_far() if name == "tracks" and self.until < STEPS else layer
                chosen = chosen.on(self.level)
                if len(chosen):
                    made[name] = _line_set(chosen)
        if "landmarks" in self.shown:
            level = self.contents.landmarks.level
            kept = self._order if self.level is None else self._order[level[self._order] == self.level]
            kept = kept[: self.most_points]
            if len(kept):
                cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(self.contents.landmarks.positions[kept]))
                cloud.colors = o3d.utility.Vector3dVector(self.contents.modes[self.mode][kept] / 255)
                made["landmarks"] = cloud
        return made

    def _tracks_so_far(self) -> Lines:
        first, last = self.tracks[0].time, self.tracks[-1].time
        return tracks_until(self.tracks, first + (last - first) * self.until / STEPS, self.contents.storeys)

    def _register(self) -> None:
        bound: dict[str, Callable[[], None]] = {
            **{str(n): lambda layer=layer: self.toggle(layer) for n, layer in enumerate(SHOWN, 1)},  # type: ignore[misc]
            "L": self.next_level,
            "M": self.next_mode,
            "C": self.next_camera,
            "O": lambda: self.look(overview(self.contents.around, *self._size)),
            "P": self._save,
            "H": lambda: print(KEYS),
        }
        if self.tracks:
            bound |= {",": lambda: self.step_time(-1), ".": lambda: self.step_time(1)}
        for key, action in bound.items():
            self._window.register_key_callback(ord(key), _callback(action))

    def _save(self) -> None:
        self._pictures += 1
        self._window.capture_screen_image(Path(f"tiepoint-{self._pictures}.png"), do_render=True)


def _callback(action: Callable[[], None]) -> Callable[[Any], bool]:
    def call(_: Any) -> bool:
        action()
        return True

    return call


def _mesh(surface: Surface, storeys: tuple[float, ...], level: int | None) -> Any:
    kept = of_level(surface, storeys, level)[surface.is_solid]
    mesh = textured_mesh(surface)
    triangles = mesh.triangles[kept]
    shape = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices.astype(np.float64)),
        o3d.utility.Vector3iVector(triangles.astype(np.int32)),
    )
    corners = mesh.uv[triangles.ravel()].astype(np.float64) * (1, -1) + (0, 1)  # Open3D counts v downwards
    shape.triangle_uvs = o3d.utility.Vector2dVector(corners)
    shape.triangle_material_ids = o3d.utility.IntVector(np.zeros(len(triangles), dtype=np.int32))
    texture: Any = np.ascontiguousarray(mesh.texture)
    shape.textures = [o3d.geometry.Image(texture)]
    return shape


def _line_set(layer: Lines) -> Any:
    ends = layer.segments.reshape(-1, 3)
    shape = o3d.geometry.LineSet(
        o3d.utility.Vector3dVector(ends),
        o3d.utility.Vector2iVector(np.arange(len(ends), dtype=np.int32).reshape(-1, 2)),
    )
    shape.colors = o3d.utility.Vector3dVector(layer.colours / 255)
    return shape
