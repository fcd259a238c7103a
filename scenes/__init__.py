"""Places to render: authoring, a CPU renderer, captures with truth, the noise of real cameras."""

from scenes.authoring import Builder, Place
from scenes.capture import Shot, View, look, query_views, render_capture, walk_views
from scenes.court import court
from scenes.formats import DriftOptions, claimed_poses, true_poses, write_capture
from scenes.lighting import Lamp, Lighting
from scenes.meshes import Mesh, Surface, box, build_mesh, wall
from scenes.mipmaps import Texture
from scenes.noise import CLEAN, NoiseOptions, add_noise, encode_jpeg
from scenes.renderer import Rendering, Scene, build_scene, cast_depth, render

__all__ = [
    "CLEAN",
    "Builder",
    "DriftOptions",
    "Lamp",
    "Lighting",
    "Mesh",
    "NoiseOptions",
    "Place",
    "Rendering",
    "Scene",
    "Shot",
    "Surface",
    "Texture",
    "View",
    "add_noise",
    "box",
    "build_mesh",
    "build_scene",
    "cast_depth",
    "claimed_poses",
    "court",
    "encode_jpeg",
    "look",
    "query_views",
    "render",
    "render_capture",
    "true_poses",
    "walk_views",
    "wall",
    "write_capture",
]
