"""What can be seen in images: reading them, local features, matches and tags."""

from perception.containers import Features, Matches
from perception.features import EXTRACTORS, Extractor, make_extractor
from perception.images import ImageQuality, Picture, image_quality, list_images, read_image
from perception.matching import MATCHERS, AdalamMatcher, Matcher, MutualRatioMatcher, make_matcher
from perception.tags import TAG_FAMILIES, TagDetections, TagPose, detect_tags, tag_corners, tag_poses

__all__ = [
    "EXTRACTORS",
    "MATCHERS",
    "TAG_FAMILIES",
    "AdalamMatcher",
    "Extractor",
    "Features",
    "ImageQuality",
    "Matcher",
    "Matches",
    "MutualRatioMatcher",
    "Picture",
    "TagDetections",
    "TagPose",
    "detect_tags",
    "image_quality",
    "list_images",
    "make_extractor",
    "make_matcher",
    "read_image",
    "tag_corners",
    "tag_poses",
]
