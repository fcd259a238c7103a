import json
from pathlib import Path

import pytest

from geometry import InputError
from scenes.captures.boxes import Box
from training.labels import label_of, require_other_seed, write_labels


@pytest.mark.parametrize("seed", [101, 103])
def test_what_networks_are_judged_on_is_not_rendered_for_training(seed: int) -> None:
    with pytest.raises(InputError, match="judged on"):
        require_other_seed(seed)
    require_other_seed(seed + 1000)


def test_labels_are_written_as_they_are_read(tmp_path: Path) -> None:
    box = Box.model_construct(
        object="v1", kind="car", bbox=(1.0, 2.0, 5.0, 4.0), bbox_visible=(1.0, 2.0, 3.0, 4.0), visible_fraction=0.5,
        contact=(3.0, 3.5),
    )  # fmt: skip
    label = label_of(box)
    assert (label["identity"], label["colour"]) == (None, None)
    assert label_of(box, "someone")["identity"] == "'someone'"
    write_labels(tmp_path / "a.jsonl", [{"image": "a.jpg", "world": "w", "boxes": [label]}])
    (line,) = (tmp_path / "a.jsonl").read_text().splitlines()
    read = {**label, "bbox": [1.0, 2.0, 3.0, 4.0], "whole": [1.0, 2.0, 5.0, 4.0], "contact": [3.0, 3.5]}
    assert json.loads(line)["boxes"] == [read]
