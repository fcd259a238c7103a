"""Judging localizations: hand-worked figures, and covariances that are judged by what came out."""

from pathlib import Path

import numpy as np
import pytest

from geometry import InputError, PoseTable, perturb, pose_from_position, position_of, quat_xyzw_of, write_poses
from twin.evaluate import evaluate_localization
from twin.localization import Localization, localized, refusal, write_localizations

SIGMA = np.array([0.001, 0.001, 0.001, 0.02, 0.02, 0.02])


def write_truth(path: Path, names: list[str]) -> list:
    true_poses = [pose_from_position([float(i), 2.0, 1.5], [0.5, -0.5, 0.5, -0.5]) for i in range(len(names))]
    table = PoseTable(
        images=tuple(names),
        positions=np.array([position_of(p) for p in true_poses]),
        quats_xyzw=np.array([quat_xyzw_of(p) for p in true_poses]),
        sigma_m=np.zeros(len(names)),
        sigma_deg=np.zeros(len(names)),
    )
    write_poses(path, table)
    return true_poses


def test_hand_worked_figures(tmp_path: Path) -> None:
    a, b, c, _ = write_truth(tmp_path / "truth.csv", ["a", "b", "c", "d"])
    covariance = np.diag(SIGMA**2)
    shift = np.array([0, 0, 0, 0.1, 0, 0])
    answers: list[Localization] = [
        localized("a", a, covariance, confidence=0.99, inliers=50),
        localized("b", perturb(b, shift), covariance, confidence=0.99, inliers=50),
        localized("c", perturb(c, 30 * shift), covariance, confidence=0.9, inliers=50),
    ]
    write_localizations(tmp_path / "out.jsonl", answers)
    figures = evaluate_localization(tmp_path / "out.jsonl", tmp_path / "truth.csv")
    assert (figures["queries"], figures["localized"], figures["refused"]) == (4, 3, 1)  # d has no answer
    assert figures["position_error_m"]["median"] == pytest.approx(0.1)
    assert figures["position_error_m"]["max"] == pytest.approx(3.0)
    assert figures["recall"] == {
        "0.05 m, 0.5 deg": 0.25,
        "0.25 m, 2 deg": 0.5,
        "0.5 m, 5 deg": 0.5,
        "5 m, 10 deg": 0.75,
    }
    assert figures["wrong_but_confident"] == 1
    assert figures["covariance"]["position"]["coverage"]["0.99"] == pytest.approx(1 / 3)


def test_honest_covariance_is_found_honest_and_a_boasting_one_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"{i}" for i in range(400)]
    true_poses = write_truth(tmp_path / "truth.csv", names)
    for boast, low, high in ((1.0, 0.86, 0.94), (3.0, 0.0, 0.35)):
        estimates = [perturb(pose, SIGMA * rng.standard_normal(6)) for pose in true_poses]
        claimed = np.diag((SIGMA / boast) ** 2)
        answers = [localized(n, e, claimed, confidence=1.0, inliers=9) for n, e in zip(names, estimates, strict=True)]
        write_localizations(tmp_path / "out.jsonl", answers)
        honesty = evaluate_localization(tmp_path / "out.jsonl", tmp_path / "truth.csv")["covariance"]
        assert low <= honesty["pose"]["coverage"]["0.9"] <= high


def test_all_refused_and_unknown_images(tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.csv", ["a"])
    write_localizations(tmp_path / "out.jsonl", [refusal("a", "dark")])
    figures = evaluate_localization(tmp_path / "out.jsonl", tmp_path / "truth.csv")
    assert figures["refused"] == 1
    assert figures["position_error_m"] is None
    write_localizations(tmp_path / "out.jsonl", [refusal("stranger", "dark")])
    with pytest.raises(InputError, match="stranger"):
        evaluate_localization(tmp_path / "out.jsonl", tmp_path / "truth.csv")


def test_truth_of_a_rendered_scene_says_more_and_is_judged_the_same(tmp_path: Path) -> None:
    (pose,) = write_truth(tmp_path / "truth.csv", ["a"])
    header, row = (tmp_path / "truth.csv").read_text().splitlines()
    more = f"{header},level,zone,stall,seen_fraction,level_evidence_px\n{row},P1,P1-zone-A,,0.87,1204\n"
    (tmp_path / "queries.csv").write_text(more)
    write_localizations(tmp_path / "out.jsonl", [localized("a", pose, np.diag(SIGMA**2), confidence=1.0, inliers=9)])
    plain, rich = (evaluate_localization(tmp_path / "out.jsonl", tmp_path / f"{n}.csv") for n in ("truth", "queries"))
    assert plain == rich
    assert rich["position_error_m"]["median"] < 1e-9
