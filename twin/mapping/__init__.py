"""Making a twin from photos; start reading at pipeline.py."""

from twin.mapping.capture import MapInputs
from twin.mapping.meaning import PARTS
from twin.mapping.pipeline import MapOptions, map_images

__all__ = ["PARTS", "MapInputs", "MapOptions", "map_images"]
