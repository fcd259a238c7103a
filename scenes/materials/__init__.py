"""Materials: seeded procedural textures of surfaces, floors, markings, signs and tags."""

from scenes.materials.floors import FLOOR_COLOURS, FLOOR_MIRRORS, floor
from scenes.materials.layers import Layer, coat, compose, paint_over, shade
from scenes.materials.pictures import cabinet, door, facade, hazard, hydrant, notice, poster, shutter, sign, window
from scenes.materials.plants import grass, leaves
from scenes.materials.plots import Plot
from scenes.materials.surfaces import brick, concrete, metal, plaster, wood
from scenes.materials.tags import board_size, tag_texture

__all__ = [
    "FLOOR_COLOURS",
    "FLOOR_MIRRORS",
    "Layer",
    "Plot",
    "board_size",
    "brick",
    "cabinet",
    "coat",
    "compose",
    "concrete",
    "door",
    "facade",
    "floor",
    "grass",
    "hazard",
    "hydrant",
    "leaves",
    "metal",
    "notice",
    "paint_over",
    "plaster",
    "poster",
    "shade",
    "shutter",
    "sign",
    "tag_texture",
    "window",
    "wood",
]
