"""Local features: one file an extractor, chosen by name."""

from perception.features.colmap_sift import ColmapSift
from perception.features.extractor import EXTRACTORS, Extractor, make_extractor
from perception.features.opencv_sift import OpenCvSift
from perception.features.xfeat import XFeat

__all__ = ["EXTRACTORS", "ColmapSift", "Extractor", "OpenCvSift", "XFeat", "make_extractor"]
