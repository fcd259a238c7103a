"""Making a twin from photos and keeping it up to date; start reading at pipeline.py and update.py."""

from twin.mapping.capture import MapInputs
from twin.mapping.meaning import PARTS
from twin.mapping.options import MapOptions
from twin.mapping.pipeline import map_images
from twin.mapping.update import update_map

__all__ = ["PARTS", "MapInputs", "MapOptions", "map_images", "update_map"]
