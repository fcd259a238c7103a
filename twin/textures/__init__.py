"""What floors, ceilings and walls look like from straight ahead, and whether a photo shows it where a pose says."""

from twin.textures.cutting import cut_textures, without_paint
from twin.textures.matching import Pyramid, TextureMatches, TextureSupport, match_textures, pyramid_of
from twin.textures.occlusion import Occluders
from twin.textures.textures import PATCH_M, Textures, read_textures, write_textures

__all__ = [
    "PATCH_M",
    "Occluders",
    "Pyramid",
    "TextureMatches",
    "TextureSupport",
    "Textures",
    "cut_textures",
    "match_textures",
    "pyramid_of",
    "read_textures",
    "without_paint",
    "write_textures",
]
