"""Captures of a facility with their truth: a surveyor's walk, query photos, fixed cameras with traffic."""

from scenes.captures.claims import DriftOptions, claimed_poses
from scenes.captures.contact_sheet import contact_sheet, moved_sheet, overview
from scenes.captures.day import OTHER_DAY, SURVEY_DAY, Day, DayOptions, draw_day, world_of
from scenes.captures.fixed import render_fixed
from scenes.captures.options import CAPTURES, CaptureOptions
from scenes.captures.phone import Phone
from scenes.captures.phone_truth import surveyed_tags, true_poses
from scenes.captures.plan_picture import plan_picture
from scenes.captures.queries import query_views
from scenes.captures.recording import FixedOptions
from scenes.captures.render_scene import render_scene
from scenes.captures.seen import level_evidence_px, seen_fraction
from scenes.captures.views import View, look
from scenes.captures.walk import walk_views

__all__ = [
    "CAPTURES",
    "OTHER_DAY",
    "SURVEY_DAY",
    "CaptureOptions",
    "Day",
    "DayOptions",
    "DriftOptions",
    "FixedOptions",
    "Phone",
    "View",
    "claimed_poses",
    "contact_sheet",
    "draw_day",
    "level_evidence_px",
    "look",
    "moved_sheet",
    "overview",
    "plan_picture",
    "query_views",
    "render_fixed",
    "render_scene",
    "seen_fraction",
    "surveyed_tags",
    "true_poses",
    "walk_views",
    "world_of",
]
