"""Figures of several runs together, and how well confidence is judged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.localization_pool import LEAST_BIN, pooled, reliability, require_once, together
from geometry import InputError


def case(forced: list[list[float]]) -> dict[str, Any]:
    counted = {"photos": len(forced), "localized": 0, "right": 0, "wrong and sure": 0}
    return {"strata": {"all": counted}, "forced": forced}


def written(path: Path, cases: dict[str, Any]) -> Path:
    path.write_text(
        json.dumps({"machine": {"cores_used": 2}, "note": path.stem, "cases": cases, "pooled": None, "strangers": {}})
    )
    return path


@given(seed=st.integers(0, 2**16), shift=st.floats(-0.3, 0.3))
def test_the_calibration_error_is_how_far_confidence_is_off(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.3, 0.7, 20 * LEAST_BIN)
    found = reliability(true + shift, rng.random(len(true)) < true)
    assert found is not None
    assert abs(found["calibration error"] - abs(shift)) < 0.08  # measured 0.06 of 300: a bin errs by 0.05


def test_confidence_that_tells_all_apart_has_an_auroc_of_one() -> None:
    found = reliability([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    assert found is not None
    assert (found["AUROC"], found["wrong share"], found["Brier score of the best constant"]) == (1.0, 0.5, 0.25)


def test_bins_are_of_one_mass_each_by_confidence_and_ties_count_half() -> None:
    """Two bins, off by 0.2 each in opposite ways: as one bin, or unsorted, nothing would be off."""
    claimed = np.tile([0.2, 0.8], LEAST_BIN)
    right = np.tile([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], LEAST_BIN // 5)
    found = reliability(claimed, right)
    assert found is not None
    assert found["calibration error"] == pytest.approx(0.2)
    assert found["AUROC"] == 1.0
    tied = reliability([0.5, 0.5], [0, 1])
    assert tied is not None
    assert tied["AUROC"] == 0.5


def test_nothing_to_tell_apart_is_no_figure() -> None:
    assert reliability([], []) is None
    found = reliability([0.5, 0.6], [1, 1])
    assert found is not None
    assert found["AUROC"] is None
    assert pooled({}) is None


def test_runs_are_put_together_with_their_machines(tmp_path: Path) -> None:
    one = written(tmp_path / "one.json", {"a in a-twin": case([[0.9, 1.0]])})
    none = written(tmp_path / "none.json", {"b in b-twin": case([])})
    found, runs = together([one, none])
    whole = pooled(found["cases"])
    assert whole is not None
    assert whole["photos"] == whole["confidence"]["forced answers"] == 1
    assert [each["note"] for each in runs] == ["one", "none"]


def test_names_that_come_twice_are_refused_beforehand() -> None:
    require_once(["a in b", "a in c"])
    with pytest.raises(InputError, match="a in b comes a second time"):
        require_once(["a in b", "a in c", "a in b"])


def test_a_case_counts_once_and_needs_its_answers(tmp_path: Path) -> None:
    one = written(tmp_path / "one.json", {"a in a-twin": case([[0.9, 1.0]])})
    with pytest.raises(InputError, match="a in a-twin comes a second time"):
        together([one, one])
    for content in ("{}", "[1]", "{", '{"cases": {}, "strangers": {}}'):
        (tmp_path / "other.json").write_text(content)
        with pytest.raises(InputError, match=r"no result of|no JSON"):
            together([tmp_path / "other.json"])
    with pytest.raises(InputError):
        together([tmp_path / "missing.json"])
    without = written(tmp_path / "pooled.json", {"a in a-twin": {"strata": {}}})
    with pytest.raises(InputError, match="single answers"):
        together([without])
