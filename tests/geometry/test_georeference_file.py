import json
from dataclasses import asdict
from pathlib import Path

import pytest

from geometry import Georeference, InputError, read_georeference

TIE = Georeference(52.51628, 13.3777, 78.2, -31.5)


def test_four_numbers_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "tie.json").write_text(json.dumps(asdict(TIE)))
    (tmp_path / "tie.yaml").write_text("\n".join(f"{name}: {value}" for name, value in asdict(TIE).items()))
    assert read_georeference("52.51628, 13.3777, 78.2, -31.5") == TIE
    assert read_georeference(str(tmp_path / "tie.json")) == TIE
    assert read_georeference(str(tmp_path / "tie.yaml")) == TIE


@pytest.mark.parametrize("given", ["1,2,3,north", "1,2,3", "absent.yaml", "", "nan,0,0,0", "91,0,0,0"])
def test_words_that_are_none_are_refused(given: str) -> None:
    with pytest.raises(InputError):
        read_georeference(given)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "neither YAML nor JSON"),
        ("[1, 2]", "no names"),
        ("latitude_deg: 1\nlongitude_deg: 2\nheight_m: 3", "heading_deg"),
        ("latitude_deg: north\nlongitude_deg: 2\nheight_m: 3\nheading_deg: 4", "latitude_deg"),
        ("latitude: 1", "latitude_deg"),
    ],
)
def test_files_that_are_none_are_refused_by_name(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "tie.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=said) as refused:
        read_georeference(str(path))
    assert refused.value.where == str(path)
