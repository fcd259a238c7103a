"""Frames, cameras, poses, alignment and uncertainty, as pure functions on arrays and pycolmap's types."""

from geometry.absolute_pose import PoseEstimate, log10_false_alarms, pose_hypotheses, refine_pose
from geometry.alignment import Alignment, align_points
from geometry.box_views import BoxPlanes, CameraModel, box_planes
from geometry.cameras import (
    camera_from_exif,
    camera_from_opencv,
    camera_from_params,
    check_size,
    opencv_from_camera,
    project,
    projection_jacobian,
    scaled,
    unproject,
)
from geometry.ceilings import ceiling_heights
from geometry.drift import is_drift, walks_covariance, way_walked, with_correlated_errors
from geometry.drift_correction import correct_drift
from geometry.errors import (
    CancelledError,
    DegenerateError,
    ImageError,
    InputError,
    MappingError,
    MissingExtraError,
    TiepointError,
    TwinDamagedError,
    TwinError,
    TwinFormatError,
    nearest_known,
)
from geometry.floor_plans import HeightCheck, height_disagreements, match_levels, plan_levels, with_plan
from geometry.floor_surfaces import Floors, LevelSurface, RampSurface, level_probability, with_datum
from geometry.floorplan import FloorPlan, read_plan, write_plan
from geometry.floors import FloorOptions, find_floors, rename_levels
from geometry.footprint import ground_footprint
from geometry.frames import (
    covariance_from_pycolmap,
    perturb,
    pixels_from_opencv,
    pixels_to_opencv,
    pose_difference,
    pose_error,
    pose_from_matrix,
    pose_from_position,
    position_covariance,
    position_of,
    quat_xyzw_of,
    skew,
    tangent_from_pycolmap,
    transform_points,
)
from geometry.georeference import Georeference
from geometry.georeference_file import read_georeference
from geometry.ground_surface import GroundSurface
from geometry.interchange import (
    camera_for,
    read_cameras,
    read_cameras_json,
    read_control,
    read_marks,
    read_poses,
    read_tags,
    read_true_poses,
    write_cameras,
    write_cameras_json,
    write_control,
    write_marks,
    write_poses,
    write_tags,
)
from geometry.joint_alignment import JointPoints, TagView, refine_alignment
from geometry.lane_graph import Drive, LanePosition, gate_drives, lane_graph, pieces, travel_time
from geometry.lifting import Lifted, fuse_views, lift_boxes
from geometry.location import Located, Locator, floor_height, lane_path, locate, ramp_height
from geometry.plan_checks import PlanWarning, plan_warnings
from geometry.plan_control import fit_plan_to_control
from geometry.plan_disagreements import PlanDisagreement, plan_disagreements
from geometry.plan_fit import PlanFit, fit_plan
from geometry.plan_geojson import write_plan_geojson
from geometry.plan_import import import_plan
from geometry.plan_layers import DEFAULT_LAYERS, LayerMap, LayerRule, LevelRule, read_layer_map
from geometry.plan_transform import transform_plan
from geometry.records import CameraRule, ControlPoints, FixedCamera, Marks, PoseTable, TagSpecs
from geometry.robust import CAUCHY_WIDTH
from geometry.similarity import covariances_in_fitted_frame, pose_covariance_of_frame, pose_jacobian_of_frame
from geometry.structure import Observations, Structure, refine_points
from geometry.tables import read_bounded, write_atomic
from geometry.tag_alignment import align_tags, scale_from_tags, tag_corners
from geometry.track_records import (
    DetectionRecord,
    FrameRecord,
    Observation,
    TrackRow,
    read_detections,
    read_tracks,
    write_tracks,
)
from geometry.travel_times import TravelTimes
from geometry.triangulation import triangulate_marks
from geometry.uncertainty import (
    Calibration,
    calibration,
    inside_ellipsoid,
    largest_sigma,
    probability_within,
    squared_mahalanobis,
)
from geometry.upright import up_from_cameras, upright_from_map

__all__ = [
    "CAUCHY_WIDTH",
    "DEFAULT_LAYERS",
    "Alignment",
    "BoxPlanes",
    "Calibration",
    "CameraModel",
    "CameraRule",
    "CancelledError",
    "ControlPoints",
    "DegenerateError",
    "DetectionRecord",
    "Drive",
    "FixedCamera",
    "FloorOptions",
    "FloorPlan",
    "Floors",
    "FrameRecord",
    "Georeference",
    "GroundSurface",
    "HeightCheck",
    "ImageError",
    "InputError",
    "JointPoints",
    "LanePosition",
    "LayerMap",
    "LayerRule",
    "LevelRule",
    "LevelSurface",
    "Lifted",
    "Located",
    "Locator",
    "MappingError",
    "Marks",
    "MissingExtraError",
    "Observation",
    "Observations",
    "PlanDisagreement",
    "PlanFit",
    "PlanWarning",
    "PoseEstimate",
    "PoseTable",
    "RampSurface",
    "Structure",
    "TagSpecs",
    "TagView",
    "TiepointError",
    "TrackRow",
    "TravelTimes",
    "TwinDamagedError",
    "TwinError",
    "TwinFormatError",
    "align_points",
    "align_tags",
    "box_planes",
    "calibration",
    "camera_for",
    "camera_from_exif",
    "camera_from_opencv",
    "camera_from_params",
    "ceiling_heights",
    "check_size",
    "correct_drift",
    "covariance_from_pycolmap",
    "covariances_in_fitted_frame",
    "find_floors",
    "fit_plan",
    "fit_plan_to_control",
    "floor_height",
    "fuse_views",
    "gate_drives",
    "ground_footprint",
    "height_disagreements",
    "import_plan",
    "inside_ellipsoid",
    "is_drift",
    "lane_graph",
    "lane_path",
    "largest_sigma",
    "level_probability",
    "lift_boxes",
    "locate",
    "log10_false_alarms",
    "match_levels",
    "nearest_known",
    "opencv_from_camera",
    "perturb",
    "pieces",
    "pixels_from_opencv",
    "pixels_to_opencv",
    "plan_disagreements",
    "plan_levels",
    "plan_warnings",
    "pose_covariance_of_frame",
    "pose_difference",
    "pose_error",
    "pose_from_matrix",
    "pose_from_position",
    "pose_hypotheses",
    "pose_jacobian_of_frame",
    "position_covariance",
    "position_of",
    "probability_within",
    "project",
    "projection_jacobian",
    "quat_xyzw_of",
    "ramp_height",
    "read_bounded",
    "read_cameras",
    "read_cameras_json",
    "read_control",
    "read_detections",
    "read_georeference",
    "read_layer_map",
    "read_marks",
    "read_plan",
    "read_poses",
    "read_tags",
    "read_tracks",
    "read_true_poses",
    "refine_alignment",
    "refine_points",
    "refine_pose",
    "rename_levels",
    "scale_from_tags",
    "scaled",
    "skew",
    "squared_mahalanobis",
    "tag_corners",
    "tangent_from_pycolmap",
    "transform_plan",
    "transform_points",
    "travel_time",
    "triangulate_marks",
    "unproject",
    "up_from_cameras",
    "upright_from_map",
    "walks_covariance",
    "way_walked",
    "with_correlated_errors",
    "with_datum",
    "with_plan",
    "write_atomic",
    "write_cameras",
    "write_cameras_json",
    "write_control",
    "write_marks",
    "write_plan",
    "write_plan_geojson",
    "write_poses",
    "write_tags",
    "write_tracks",
]
