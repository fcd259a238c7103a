"""The renderer: shapes with textures, light, and rays through every pixel of any camera."""

from scenes.rendering.baking import DRAFT_LIGHT, LightOptions
from scenes.rendering.fixed_view import FixedView
from scenes.rendering.lighting import Lamp, Lighting, SunLight
from scenes.rendering.render import DRAFT, FULL, NO_OBJECT, Geometry, Rendering, RenderOptions, cast, render
from scenes.rendering.shapes import Finish, Instance, Model, Shape, Texture
from scenes.rendering.silhouettes import Silhouette, silhouette
from scenes.rendering.tone import auto_exposure, develop
from scenes.rendering.world import World, build_world

__all__ = [
    "DRAFT",
    "DRAFT_LIGHT",
    "FULL",
    "NO_OBJECT",
    "Finish",
    "FixedView",
    "Geometry",
    "Instance",
    "Lamp",
    "LightOptions",
    "Lighting",
    "Model",
    "RenderOptions",
    "Rendering",
    "Shape",
    "Silhouette",
    "SunLight",
    "Texture",
    "World",
    "auto_exposure",
    "build_world",
    "cast",
    "develop",
    "render",
    "silhouette",
]
