"""What can be seen in images: reading them, local features, matches, tags and text."""

from perception.appearance.network import AppearanceNetwork, DescribingDetector
from perception.appearance.pooling import pool
from perception.arrows import ArrowOptions, Arrows, find_arrows
from perception.camera_stalls import CameraStallOptions, CameraStalls, stalls_in_view
from perception.clocks import CameraTrack, ClockEstimate, ClockOptions, estimate_clocks
from perception.containers import Features, Matches
from perception.detection.background import BackgroundDetector, BackgroundOptions
from perception.detection.floor_below import FloorBelow, floors_below
from perception.detection.making import DETECTORS, make_detector
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions, available_providers
from perception.detection.protocol import Detector
from perception.detection.refined import RefinedDetector
from perception.detection.tiles import TiledDetector, TileOptions
from perception.detection.vehicle_look import LookingDetector, VehicleLook
from perception.detections import Detections
from perception.features import EXTRACTORS, Extractor, make_extractor
from perception.floor_marks import StripeOptions, Stripes, dominant_directions, find_stripes, stripe_support
from perception.images import ImageQuality, Picture, image_quality, list_images, read_image
from perception.matching import MATCHERS, AdalamMatcher, Matcher, MutualRatioMatcher, make_matcher
from perception.reading import (
    ReaderOptions,
    TextReader,
    TextReading,
    board_outline,
    fold_text,
    text_log_likelihood,
)
from perception.rectify import GroundOptions, GroundView, aligned_median, ground_view, line_segments
from perception.shares import Shares
from perception.stall_options import StallOptions, StallSize
from perception.stalls import StallProposals, propose_stalls
from perception.tags import TAG_FAMILIES, TagDetections, TagPose, detect_tags, tag_corners, tag_poses
from perception.tracking.options import TrackerOptions
from perception.tracking.tracker import GroundTracker
from perception.whole_boxes import WholeBoxes

__all__ = [
    "DETECTORS",
    "EXTRACTORS",
    "MATCHERS",
    "TAG_FAMILIES",
    "AdalamMatcher",
    "AppearanceNetwork",
    "ArrowOptions",
    "Arrows",
    "BackgroundDetector",
    "BackgroundOptions",
    "CameraStallOptions",
    "CameraStalls",
    "CameraTrack",
    "ClockEstimate",
    "ClockOptions",
    "DescribingDetector",
    "Detections",
    "Detector",
    "Extractor",
    "Features",
    "FloorBelow",
    "GroundOptions",
    "GroundTracker",
    "GroundView",
    "ImageQuality",
    "LookingDetector",
    "Matcher",
    "Matches",
    "MutualRatioMatcher",
    "OnnxDetector",
    "OnnxOptions",
    "Picture",
    "ReaderOptions",
    "RefinedDetector",
    "Shares",
    "StallOptions",
    "StallProposals",
    "StallSize",
    "StripeOptions",
    "Stripes",
    "TagDetections",
    "TagPose",
    "TextReader",
    "TextReading",
    "TileOptions",
    "TiledDetector",
    "TrackerOptions",
    "VehicleLook",
    "WholeBoxes",
    "aligned_median",
    "available_providers",
    "board_outline",
    "detect_tags",
    "dominant_directions",
    "estimate_clocks",
    "find_arrows",
    "find_stripes",
    "floors_below",
    "fold_text",
    "ground_view",
    "image_quality",
    "line_segments",
    "list_images",
    "make_detector",
    "make_extractor",
    "make_matcher",
    "pool",
    "propose_stalls",
    "read_image",
    "stalls_in_view",
    "stripe_support",
    "tag_corners",
    "tag_poses",
    "text_log_likelihood",
]
