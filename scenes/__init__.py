"""Facilities to author, render and record: pictures, detections and their truth, with the noise of real sensors.

``scenes.library`` holds facilities that come with Tiepoint, ``scenes.facility`` what one is made of. The parts of the
renderer and of the captures have facades of their own, such as ``scenes.rendering`` and ``scenes.captures``.
"""

from scenes.captures import CaptureOptions, View, contact_sheet, look, overview, render_scene
from scenes.captures.boxes import read_boxes
from scenes.checks import check
from scenes.description import read_facility, write_facility
from scenes.detection_noise import DetectionNoise, noisy_detections, true_detections
from scenes.drafting import Draft
from scenes.facility import Facility
from scenes.library import SCENES
from scenes.noise import CLEAN, NoiseOptions, add_noise, encode_jpeg
from scenes.plan import floor_plan

__all__ = [
    "CLEAN",
    "SCENES",
    "CaptureOptions",
    "DetectionNoise",
    "Draft",
    "Facility",
    "NoiseOptions",
    "View",
    "add_noise",
    "check",
    "contact_sheet",
    "encode_jpeg",
    "floor_plan",
    "look",
    "noisy_detections",
    "overview",
    "read_boxes",
    "read_facility",
    "render_scene",
    "true_detections",
    "write_facility",
]
