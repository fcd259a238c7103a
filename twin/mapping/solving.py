"""From matches to a model: how it is solved depends on what is known of the poses; what was solved is kept."""

import json
from pathlib import Path

import pycolmap

from geometry import MappingError
from perception import Features
from twin.mapping import reconstruction as rec
from twin.mapping.approximate_poses import adjust_at_priors
from twin.mapping.by_order import settle
from twin.mapping.capture import Capture, PoseKnowledge
from twin.mapping.correspondence import PairMatches, verify_with_poses
from twin.mapping.workspace import Workspace, digest
from twin.progress import Progress

LEFT_OUT_FILE = "left_out.json"


def reconstruct(
    capture: Capture,
    features: list[Features],
    matches: PairMatches,
    key: str,
    workspace: Workspace,
    on_progress: Progress,
    *,
    is_laid: bool = False,
) -> tuple[pycolmap.Reconstruction, dict[str, str]]:
    """Return the adjusted reconstruction, in site where poses are given, else in its own frame; and left-out images.

    is_laid: priors are the layout of a walk, and only say where to begin
    """
    parts: list[object] = [
        key,
        capture.names,
        capture.digests,
        sorted(capture.given_cameras),
        capture.pose_knowledge is PoseKnowledge.KNOWN,
    ]
    parts += [camera.params for _, camera in sorted(capture.cameras.items())]
    parts += [part for pair in sorted(matches.items()) for part in pair]
    if capture.priors is not None and capture.prior_poses():
        # Positions alone serve only to align the result, so that SfM need not be done again for others.
        priors = capture.priors
        parts += [priors.positions, priors.quats_xyzw, capture.prior_sigmas(), priors.sigma_deg]
        parts += ["laid out"] if is_laid else []
        parts += ["drift let go", capture.claimed_sigmas, priors.sequence, priors.time]

    def make(folder: Path) -> None:
        model, left_out = _solve(capture, features, matches, folder, on_progress, is_laid=is_laid)
        model.write(folder)
        (folder / LEFT_OUT_FILE).write_text(json.dumps(left_out), "utf-8")

    folder = workspace.directory("models", digest(*parts), make)
    return pycolmap.Reconstruction(folder), json.loads((folder / LEFT_OUT_FILE).read_text("utf-8"))


def _solve(
    capture: Capture,
    features: list[Features],
    matches: PairMatches,
    folder: Path,
    on_progress: Progress,
    *,
    is_laid: bool,
) -> tuple[pycolmap.Reconstruction, dict[str, str]]:
    database, output = folder / "database.db", folder / "stages"
    poses = capture.prior_poses()
    if capture.pose_knowledge is PoseKnowledge.KNOWN:
        cameras = [capture.camera(i) for i in range(len(features))]
        verified = verify_with_poses(matches, features, cameras, [poses.get(i) for i in range(len(features))])
        _require_matches(verified, capture)
        rec.write_database(database, capture, features, verified, verified=True)
        start = rec.empty_reconstruction(capture, features, poses)
        return rec.triangulate(start, database, capture.folder, output), {}
    _require_matches(matches, capture)
    rec.write_database(database, capture, features, matches, verified=False)
    if is_laid:
        return settle(capture, features, database, output, on_progress)
    if capture.pose_knowledge is PoseKnowledge.APPROXIMATE and len(poses) == len(capture.names):
        return adjust_at_priors(capture, features, database, output)
    return rec.structure_from_motion(capture, database, output, on_progress), {}


def _require_matches(matches: PairMatches, capture: Capture) -> None:
    if not matches:
        raise MappingError(
            "no two images match",
            where=str(capture.folder),
            remedy="Take more photos with about 70 % overlap; with --poses, check that they belong to these images.",
        )
