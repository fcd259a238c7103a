from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import InputError
from scenes.description import read_facility, write_facility
from scenes.facility import Facility, FixedCamera, Level, Light, Pillar, Ramp, StallRow, Sun, Traffic, Wall, Wear
from scenes.library import SCENES, facility
from tests.support import reals

SQUARE = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9 ._+-]{0,12}\Z")
POINTS = st.tuples(reals(1e4), reals(1e4))
COLOURS = st.none() | st.tuples(*[st.integers(0, 255)] * 3)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | reals(1e9)
    | st.text("aeé:#'\"{}[]- \n\tyesnoN0.~", max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def facilities(draw: st.DrawFn) -> Facility:
    level = Level(id=draw(NAMES), name=draw(st.text(max_size=8)), elevation=draw(reals(1e3)), outline=SQUARE)

    def many(element: st.SearchStrategy[Any]) -> tuple:
        return tuple(draw(st.lists(element, max_size=3)))

    here = st.just(level.id)
    return Facility(
        name=draw(NAMES),
        levels=(level,),
        walls=many(st.builds(Wall, id=NAMES, level=here, line=st.lists(POINTS, min_size=2, max_size=30), dado=COLOURS)),
        pillars=many(st.builds(Pillar, id=NAMES, level=here, at=POINTS, band=COLOURS, text=st.text(max_size=5))),
        rows=many(
            st.builds(StallRow, id=NAMES, level=here, start=POINTS, along_deg=reals(360), count=st.integers(1, 20))
        ),
        lights=many(st.builds(Light, id=NAMES, level=here, at=POINTS, height=st.just(3.0), on=st.booleans())),
        wear=many(
            st.builds(
                Wear,
                id=NAMES,
                level=here,
                at=POINTS,
                size=st.just((1.0, 2.0)),
                on=st.sampled_from(["floor", "ceiling"]),
            )
        ),
        cameras=many(
            st.builds(
                FixedCamera,
                id=NAMES,
                level=here,
                at=POINTS,
                yaw_deg=reals(360),
                params=st.lists(reals(1e3), max_size=4),
            )
        ),
        sun=draw(st.none() | st.builds(Sun, hour=st.floats(0, 24))),
        traffic=draw(st.builds(Traffic, parked=st.floats(0, 1))),
        meta=draw(st.dictionaries(NAMES, JSON_VALUES, max_size=3)),
    )


@given(written=facilities())
def test_every_facility_round_trips(tmp_path_factory: pytest.TempPathFactory, written: Facility) -> None:
    path = tmp_path_factory.mktemp("yaml") / "facility.yaml"
    write_facility(path, written)
    assert read_facility(path) == written


@pytest.mark.parametrize("name", SCENES)
def test_the_library_round_trips_and_is_readable(tmp_path: Path, name: str) -> None:
    path = tmp_path / "scene.yaml"
    write_facility(path, facility(name))
    assert read_facility(path) == facility(name)
    text = path.read_text("utf-8")
    assert "\nlevels:\n- {id: " in text
    assert "slab" not in text, "defaults are left out"


def test_what_a_person_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "yard.yaml"
    path.write_text(
        """
name: yard
levels:
  - id: P1
    elevation: 0
    outline: [[0, 0], [20, 0], [20, 15], [0, 15]]
  - {id: P2, elevation: 3, outline: [[0, 0], [20, 0], [20, 15], [0, 15]]}
ramps:
  - {id: up, from: P1, to: P2, polygon: [[0, 0], [3, 0], [3, 15], [0, 15]], profile: [[0, 0], [15, 3]]}
lights:
  - {id: l1, level: P1, at: [3, 3], height: 2.8, on: false}
"""
    )
    yard = read_facility(path)
    assert yard.lights[0].on is False
    assert isinstance(yard.ramps[0], Ramp)
    assert yard.ramps[0].from_level == "P1"


YARD = """name: yard
levels:
- {id: P1, elevation: 0.0, outline: [[0, 0], [9, 0], [9, 9]]}
rows:
- {id: B, level: P1, start: [0, 0], along_deg: 0, count: 2}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count", "colunt", "rows 'B': unknown key 'colunt'. Did you mean 'count'?"),
        (", count: 2", "", "rows 'B': 'count' is missing"),
        ("count: 2", "count: 0", "rows 'B': count: Input should be greater"),
        ("start: [0, 0]", "start: [0, .nan]", "rows 'B': start.1: "),
        ("start: [0, 0]", "start: [0, 0, 0]", "rows 'B': start"),
        ("id: B", "id: 7", "rows '7': id: Input should be a valid string. Put it in quotes."),
        ("id: B, ", "", "rows, number 1: 'id' is missing"),
        ("- {id: B", "- B\n- {id: B", "rows, number 1: "),
        ("rows:", "row:", "unknown key 'row'. Did you mean 'rows'?"),
        ("name: yard", "name: yard\nname: lot", "line 2: the key 'name' occurs twice"),
        ("name: yard", "name: yard\ntraffic: {peple: 3}", "traffic: unknown key 'peple'. Did you mean 'people'?"),
        ("name: yard", "name: yard\n[1]: 3", "is not a word"),
        ("name: yard", "name: &a yard", "line 1: anchors and aliases are not allowed"),
        ("name: yard", "a: &a [x, x]\nb: &b [*a, *a]\nname: yard", "line 1: anchors"),
        ("name: yard", "name: " + "[" * 50 + "]" * 50, "nested too deeply"),
        ("name: yard", "name: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("name: yard", "name: [yard", "line "),
        ("name: yard", "name: 'yard'\0", ""),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "yard.yaml"
    assert old in YARD
    path.write_text(YARD.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read_facility(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"just words", b"- 1\n- 2", b"\xff\xfe\x00", b"name: x" + b" " * (9 * 2**20)])
def test_what_is_no_facility_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "yard.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"yard\.yaml"):
        read_facility(path)


def test_the_yard_is_good(tmp_path: Path) -> None:
    path = tmp_path / "yard.yaml"
    path.write_text(YARD)
    assert read_facility(path).rows[0].count == 2
