"""What is marked on a floor: seen from above, and proposed as a plan where there is none."""

from twin.layout.marks import FloorMarks, MarkOptions, read_marks
from twin.layout.ortho import FloorHeight, Ortho, OrthoOptions, RectifiedSurface, UnseenSurfaceError, rectify_floor
from twin.layout.ortho_file import file_stem, ortho_path, read_ortho, write_ortho
from twin.layout.overlay import draw_plan
from twin.layout.proposal import MarkedFloor, propose_plan

__all__ = [
    "FloorHeight",
    "FloorMarks",
    "MarkOptions",
    "MarkedFloor",
    "Ortho",
    "OrthoOptions",
    "RectifiedSurface",
    "UnseenSurfaceError",
    "draw_plan",
    "file_stem",
    "ortho_path",
    "propose_plan",
    "read_marks",
    "read_ortho",
    "rectify_floor",
    "write_ortho",
]
