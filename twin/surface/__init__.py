"""The surface of a twin: the plan extruded, cut by what the map saw, coloured from its photos, seen from anywhere."""

from twin.surface.build import SurfaceOptions, build_surface
from twin.surface.evidence import Evidence
from twin.surface.surface import Surface
from twin.surface.view import View, depth_of, render_view

__all__ = ["Evidence", "Surface", "SurfaceOptions", "View", "build_surface", "depth_of", "render_view"]
