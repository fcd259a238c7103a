"""Tying a photos-only map to the site by control points with marks and by tags, judged by the true poses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometry import (
    ControlPoints,
    InputError,
    MappingError,
    Marks,
    TagSpecs,
    pose_error,
    project,
    tag_corners,
    transform_points,
    write_control,
    write_marks,
    write_tags,
)
from perception import TagDetections
from tests.conftest import Rendered
from twin import Twin, map_images
from twin.mapping import tag_sightings
from twin.mapping.site_tie import elsewhere, require_unfolded

CONTROL_SIGMA_M = 0.003


def write_control_files(twin: Twin, folder: Path, rng: np.random.Generator) -> None:
    """Write ten well-seen landmarks of a map with true poses as surveyed points, marked where they were observed."""
    landmarks = twin.landmarks
    often = np.flatnonzero(np.bincount(landmarks.landmark, minlength=len(landmarks)) >= 5)
    low, high = np.percentile(landmarks.points[often], [10, 90], axis=0)
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    nearest = [int(often[np.linalg.norm(landmarks.points[often] - c, axis=1).argmin()]) for c in corners]
    chosen = np.unique([*nearest, *often[:: len(often) // 4][:4]])
    names = tuple(f"p{i}" for i in chosen)
    surveyed = landmarks.points[chosen] + CONTROL_SIGMA_M * rng.standard_normal((len(chosen), 3))
    write_control(
        folder / "control.csv",
        ControlPoints(names=names, positions=surveyed, sigma_m=np.full(len(chosen), CONTROL_SIGMA_M)),
    )
    view = landmarks.view_of_observation()
    pairs = np.stack([landmarks.landmark, view], axis=1)
    rows = np.unique(pairs, axis=0, return_index=True)[1]  # a view may have found a landmark twice
    rows = rows[np.isin(landmarks.landmark[rows], chosen)]
    write_marks(
        folder / "marks.csv",
        Marks(
            names=tuple(f"p{i}" for i in landmarks.landmark[rows]),
            images=tuple(landmarks.views[v] for v in view[rows]),
            pixels=landmarks.pixels[rows].astype(np.float64),
        ),
    )


def test_control_points_tie_the_map_to_site(rendered: Rendered, small_twin: Path, tmp_path: Path) -> None:
    truth = Twin.open(small_twin)
    write_control_files(truth, tmp_path, np.random.default_rng(0))
    inputs = replace(rendered.inputs(None), control=tmp_path / "control.csv", marks=tmp_path / "marks.csv")
    quality = map_images(inputs, tmp_path / "twin")
    made = Twin.open(tmp_path / "twin")
    assert made.manifest.frame.aligned_by == ["control points"]
    assert quality["alignment"]["chi2_per_dof"] < 3.0
    errors = np.array([pose_error(pose, truth.view_poses[name]) for name, pose in made.view_poses.items()])
    assert np.median(errors[:, 0]) < 0.02
    assert np.median(errors[:, 1]) < 0.2


def test_marks_of_unknown_points_or_images_are_refused(rendered: Rendered, small_twin: Path, tmp_path: Path) -> None:
    write_control_files(Twin.open(small_twin), tmp_path, np.random.default_rng(0))
    inputs = replace(rendered.inputs(None), control=tmp_path / "control.csv", marks=tmp_path / "marks.csv")
    text = (tmp_path / "marks.csv").read_text()
    for old, new in (("p", "q"), (".jpg", ".jpeg")):
        header, _, first = text.partition("\n")
        (tmp_path / "marks.csv").write_text(f"{header}\n{first.replace(old, new, 1)}")
        with pytest.raises(InputError, match="unknown"):
            map_images(inputs, tmp_path / "twin")


def test_tags_with_known_poses_tie_the_map_to_site(
    rendered: Rendered, small_twin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detector is replaced by true projections: it has its own tests, and here the tags are many."""
    truth = Twin.open(small_twin)
    positions = truth.landmarks.points[:: len(truth.landmarks) // 12][:12]
    upright = np.tile([0.70710678, 0.0, 0.0, 0.70710678], (len(positions), 1))
    tags = TagSpecs(
        families=("tag36h11",) * len(positions),
        ids=np.arange(len(positions)),
        size_m=np.full(len(positions), 0.2),
        positions=positions,
        quats_xyzw=upright,
        sigma_m=np.full(len(positions), 0.002),
    )
    write_tags(tmp_path / "tags.csv", tags)
    corners = tag_corners(tags.size_m, positions, upright)
    names = iter(sorted(truth.view_poses))

    def detect(gray: np.ndarray, family: str) -> TagDetections:
        image = truth.reconstruction.find_image_with_name(next(names))
        pixels, valid = project(image.camera, transform_points(image.cam_from_world(), corners.reshape(-1, 3)))
        size = np.array([image.camera.width, image.camera.height])
        inside = (valid & (pixels > 0).all(axis=1) & (pixels < size).all(axis=1)).reshape(-1, 4).all(axis=1)
        return TagDetections(family=family, ids=tags.ids[inside], corners=pixels.reshape(-1, 4, 2)[inside])

    monkeypatch.setattr(tag_sightings, "detect_tags", detect)
    map_images(replace(rendered.inputs(None), tags=tmp_path / "tags.csv"), tmp_path / "twin")
    made = Twin.open(tmp_path / "twin")
    assert made.manifest.frame.aligned_by == ["tags"]
    errors = np.array([pose_error(pose, truth.view_poses[name])[0] for name, pose in made.view_poses.items()])
    assert np.median(errors) < 0.02


def tied(wrong: int, tags: int) -> dict[str, object]:
    """Return what is said of a tie to tags of which some contradict the others."""
    corners = [f"tag36h11 {tag} corner {corner}" for tag in range(wrong) for corner in range(4)]
    return {"outliers": [*corners, "0007.jpg", f"tag36h11 {wrong} corner 2"], "tags": tags}


@pytest.mark.parametrize(("wrong", "tags"), [(0, 8), (1, 3), (2, 12)])
def test_a_tag_that_was_moved_is_no_fold(wrong: int, tags: int) -> None:
    assert require_unfolded(tied(wrong, tags), force=False) == []
    assert require_unfolded(None, force=False) == []


def test_a_map_that_many_tags_contradict_is_refused_or_says_so() -> None:
    with pytest.raises(MappingError, match="3 of 8 surveyed tags are elsewhere"):
        require_unfolded(tied(3, 8), force=False)
    assert require_unfolded(tied(3, 8), force=True) == ["tag36h11 0", "tag36h11 1", "tag36h11 2"]


def test_tags_that_one_photo_shows_elsewhere_count_too() -> None:
    tie = {"outliers": ["tag36h11 7 in 0003.jpg", "tag36h11 7 in 0004.jpg", "0009.jpg"], "tags": 3, "single_views": 1}
    assert elsewhere(tie) == ["tag36h11 7"]
    assert require_unfolded(tie, force=False) == []
    both = {**tie, "outliers": [*tie["outliers"], "tag36h11 8 in 0005.jpg"]}  # type: ignore[misc]
    with pytest.raises(MappingError, match="2 of 6 surveyed tags"):
        require_unfolded(both, force=False)
