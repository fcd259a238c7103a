from pathlib import Path

import pytest

from benchmarks.surfaces_stalls import measure_pklot
from geometry.errors import InputError
from perception import CameraStallOptions

DATA = Path(__file__).parents[4] / "shared" / "data"


@pytest.mark.skipif(not (DATA / "pklot30").is_dir(), reason="needs pklot30 in ../shared/data")
def test_stalls_of_a_real_lot() -> None:
    found = measure_pklot(DATA, options=CameraStallOptions(heights=(24.5,)))
    assert found["precision_at_0.3"] > 0.8  # measured 0.91
    assert found["recall_at_0.3"] > 0.65  # measured 0.78
    assert found["recall_at_0.5"] > 0.4  # measured 0.53; the slots are drawn around cars, above the ground
    assert 900 < found["focal_px"] < 1350  # measured 1116; nobody calibrated it


def test_a_folder_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frames"):
        measure_pklot(tmp_path)
