"""Text that is fixed in the site, read in many photos and placed in 3D; start reading at finding.py."""

from twin.signs.finding import PhotoReading, SignOptions, find_signs, place_signs, read_photos
from twin.signs.landmark import SignLandmark
from twin.signs.lines import quad_of_line
from twin.signs.place_likelihood import place_likelihood
from twin.signs.planned import with_planned
from twin.signs.signs_file import read_signs, write_signs

__all__ = [
    "PhotoReading",
    "SignLandmark",
    "SignOptions",
    "find_signs",
    "place_likelihood",
    "place_signs",
    "quad_of_line",
    "read_photos",
    "read_signs",
    "with_planned",
    "write_signs",
]
