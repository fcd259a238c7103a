"""The report on a tiny made-up twin: what it says, what it must never contain, and that it stands alone."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from geometry import InputError, TwinDamagedError, perturb, position_of
from scenes import look
from twin.landmarks import Landmarks
from twin.localization import Localization, Place, localized, refusal
from twin.mapping import quality
from twin.mapping.left_out import LeftOut
from twin.model import Twin
from twin.report import MatchExample, find_examples, units, write_report
from twin.report.charts import draw_errors, draw_histogram, draw_honesty
from twin.report.figures import headlines, rows_of
from twin.report.plan import draw_plan
from twin.report.svg import dots, element, path
from twin.store import Manifest, SiteFrame

HOSTILE = "<script>alert('1')</script>\"&.jpg"
CAMERA = {"model": "SIMPLE_PINHOLE", "width": 64, "height": 48, "params": [50.0, 32.0, 24.0]}
SIGMA_M = 0.002
COVARIANCE = np.diag([1e-4] * 3 + [SIGMA_M] * 3) ** 2
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source"}


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    """A twin of four map images and 60 landmarks on a wall, with all that a report reads."""
    folder = tmp_path / "twin"
    (folder / "map").mkdir(parents=True)
    model, landmarks = _map()
    model.write(folder / "map")
    left_out = LeftOut(images=(), explained_px=1.0)
    (folder / "quality.json").write_text(
        json.dumps(quality.report(landmarks, model, left_out, {HOSTILE: "<b>dark</b>"}, None))
    )
    return Twin(folder=folder, manifest=_manifest(), landmarks=landmarks, vocabulary=None, places=None)


def _map() -> tuple[pycolmap.Reconstruction, Landmarks]:
    rng = np.random.default_rng(0)
    points = rng.uniform((0, 5, 0), (8, 6, 3), (60, 3))
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(pycolmap.Camera(camera_id=1, **CAMERA))
    names = [f"{k}.jpg" for k in range(4)]
    for k, name in enumerate(names):
        image = pycolmap.Image(name=name, image_id=k + 1, camera_id=1)
        model.add_image_with_trivial_frame(image, look((2.0 * k, 0.0, 1.5), np.pi / 2))
    landmarks = Landmarks(
        ids=np.arange(60),
        points=points,
        covariances=np.tile(1e-4 * np.eye(3, dtype=np.float32), (60, 1, 1)),
        landmark=np.tile(np.arange(60, dtype=np.int32), 4),
        pixels=rng.uniform(0, 48, (240, 2)).astype(np.float32),
        scales=np.ones(240, np.float32),
        orientations=np.zeros(240, np.float32),
        descriptors=np.zeros((240, 4), np.float16),
        view_offsets=60 * np.arange(5),
        views=tuple(names),
        kind="sift",
    )
    return model, landmarks


def _manifest() -> Manifest:
    return Manifest(
        format=1, name="tiny", created="2026-01-02T03:04:05+00:00", tiepoint="0.1.0",
        frame=SiteFrame(aligned_by=["poses"], metric=True), features={}, lenses={}, mapping={},
    )  # fmt: skip


def _answers(count: int = 6) -> tuple[list[Localization], dict[str, pycolmap.Rigid3d]]:
    """Return answers with errors drawn from their claimed covariance, and the truth."""
    rng, answers, truth = np.random.default_rng(1), [], {}
    for k in range(count):
        name = f"query-{k}.jpg"
        truth[name] = look((1.0 + k, 1.0, 1.6), 1.5)
        claimed = perturb(truth[name], rng.multivariate_normal(np.zeros(6), COVARIANCE))
        answers.append(localized(name, claimed, COVARIANCE, confidence=0.99, inliers=50 + k, seconds=0.4))
    return answers, truth


class _Page(HTMLParser):
    """Collects what a page refers to, its text, and elements opened but not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.alts: list[str | None] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "img":
            self.alts.append(dict(attrs).get("alt"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(path: Path) -> _Page:
    """Read a report and check what holds for every one: well formed, nothing to load or run, no address twice."""
    page = _Page(path.read_text("utf-8"))
    assert page.open == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(a.startswith(("#", "data:image/jpeg;base64,")) for a in page.addresses)
    assert len(set(page.ids)) == len(page.ids)
    assert {a[1:] for a in page.addresses if a.startswith("#")} <= set(page.ids)
    assert all(page.alts)
    assert "nan" not in re.sub(r"[^a-z ]", " ", page.text.lower()).split()
    return page


def _picture(path: Path, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_full_report(twin: Twin, tmp_path: Path) -> None:
    answers, truth = _answers()
    foreign = refusal("garage.jpg", "ambiguous: two floors look alike", inliers=7, seconds=0.2)
    images = {answer.image: _picture(tmp_path / answer.image) for answer in answers}
    write_report(tmp_path / "r.html", twin, [*answers, foreign], truth=truth, images=images, foreign={"garage.jpg"})
    page = _read(tmp_path / "r.html")
    assert "6 of 6" in page.text
    assert "1 of 1" in page.text
    assert "ambiguous: two floors look alike" in page.text
    assert "photos of other places refused" in page.text
    assert len(page.alts) == 6
    assert {f"photo-{k}" for k in range(1, 8)} <= set(page.ids)
    assert {f"mark-{k}" for k in range(1, 7)} <= set(page.ids)
    assert "mark-7" not in page.ids


def test_without_truth(twin: Twin, tmp_path: Path) -> None:
    answers, _ = _answers()
    write_report(tmp_path / "r.html", twin, answers)
    page = _read(tmp_path / "r.html")
    assert "median claimed sigma of position" in page.text
    assert "How far off" not in page.text
    assert "What the answers rest on" not in page.text
    assert "true positions" not in page.text


@pytest.mark.parametrize("count", [0, 1, 3])
def test_nothing_localized(twin: Twin, tmp_path: Path, count: int) -> None:
    place = Place(position=(1.0, 2.0, 0.0), radius_m=3.0, probability=1.0)
    answers = [refusal(f"{k}.jpg", "too dark", coarse=[place], seconds=0.1) for k in range(count)]
    write_report(tmp_path / "r.html", twin, answers, truth={})
    assert f"0 of {count}" in _read(tmp_path / "r.html").text


def test_hostile_names_stay_text(twin: Twin, tmp_path: Path) -> None:
    answers, truth = _answers(2)
    named = answers[0].model_copy(update={"image": HOSTILE, "level": HOSTILE})
    refused = refusal("x" + HOSTILE, HOSTILE)
    picture = _picture(tmp_path / "p.jpg")
    pixels = np.random.default_rng(0).uniform(0, 48, (5, 2))
    example = MatchExample(
        query=HOSTILE, view=HOSTILE, query_file=picture, view_file=picture,
        query_pixels=pixels, view_pixels=pixels, inliers=5,
    )  # fmt: skip
    hostile_twin = replace(twin, manifest=_manifest().model_copy(update={"name": HOSTILE}))
    write_report(
        tmp_path / "r.html",
        hostile_twin,
        [named, answers[1], refused],
        title=HOSTILE,
        truth=truth | {HOSTILE: truth[answers[0].image]},
        images={HOSTILE: picture},
        examples=[example],
        files={HOSTILE: HOSTILE},
        commands=[HOSTILE],
    )
    page = _read(tmp_path / "r.html")
    assert "b" in page.tags  # the page's own; the one in the reason is text:
    assert "<b>dark</b>" in page.text
    assert page.text.count(HOSTILE) >= 8


def test_unreadable_pictures_leave_a_gap(twin: Twin, tmp_path: Path) -> None:
    answers, _ = _answers(2)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    images = {answers[0].image: broken, answers[1].image: tmp_path / "missing.jpg"}
    pixels = np.zeros((1, 2))
    example = MatchExample(
        query="q", view="v", query_file=broken, view_file=broken, query_pixels=pixels, view_pixels=pixels, inliers=1
    )
    write_report(tmp_path / "r.html", twin, answers, images=images, examples=[example])
    page = _read(tmp_path / "r.html")
    assert page.alts == []
    assert "What the answers rest on" not in page.text


def test_damaged_quality_leaves_the_old_report(twin: Twin, tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    target.write_text("old")
    (twin.folder / "quality.json").write_text("{")
    with pytest.raises(TwinDamagedError, match="Map again"):
        write_report(target, twin, [])
    assert target.read_text() == "old"


def test_same_input_same_page(twin: Twin, tmp_path: Path) -> None:
    answers, truth = _answers()
    for name in ("a.html", "b.html"):
        write_report(tmp_path / name, twin, answers, truth=truth)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_arbitrary_unit_is_said(twin: Twin, tmp_path: Path) -> None:
    frame = SiteFrame(aligned_by=[], metric=False, undetermined=["position, rotation and scale"])
    loose = replace(twin, manifest=_manifest().model_copy(update={"frame": frame}))
    write_report(tmp_path / "r.html", loose, _answers()[0])
    text = _read(tmp_path / "r.html").text
    assert "unit is arbitrary" in text
    assert "position, rotation and scale" in text


def test_many_photos_stay_small(twin: Twin, tmp_path: Path) -> None:
    answers, truth = _answers(500)
    picture = _picture(tmp_path / "p.png")
    write_report(tmp_path / "r.html", twin, answers, truth=truth, images={a.image: picture for a in answers})
    assert (tmp_path / "r.html").stat().st_size < 1_500_000  # measured 0.8 MB: no thumbnails above 400 photos


def test_ellipsoid_and_coverage_of_honest_claims() -> None:
    answers, truth = _answers(400)
    rows = rows_of(answers, truth, ())
    inside = np.array([row.ellipsoid for row in rows])
    assert stats.kstest(inside, "uniform").pvalue > 0.01  # measured 0.5
    figure = next(h for h in headlines(rows) if "ellipsoid" in h.label)
    assert figure.tone == "good"


def test_overconfident_claims_are_called_bad() -> None:
    answers, truth = _answers(40)
    bold = [
        localized(a.image, a.cam_from_site, COVARIANCE / 9, confidence=0.99, inliers=50) for a in answers
    ]  # sigma a third of what it should be: about 13 % inside instead of 90 %
    figure = next(h for h in headlines(rows_of(bold, truth, ())) if "ellipsoid" in h.label)
    assert figure.tone == "bad"


def test_a_wrong_answer_is_not_hidden_behind_its_median(twin: Twin, tmp_path: Path) -> None:
    answers, truth = _answers()
    truth[answers[2].image] = look((3.0, 1.5, 1.6), 1.5)
    write_report(tmp_path / "r.html", twin, answers, truth=truth)
    text = _read(tmp_path / "r.html").text
    assert "1 of them wrong: off by more than 25 cm or 2°" in text
    assert "true to scale" in text


def test_a_foreign_photo_localized_is_bad() -> None:
    answers, _ = _answers(1)
    figures = headlines(rows_of(answers, None, {answers[0].image}))
    assert [f.tone for f in figures if f.value == "0 of 1"] == ["bad"]


def test_error_is_that_of_the_truth() -> None:
    truth = look((1.0, 2.0, 1.5), 0.3)
    answer = localized("a", look((1.03, 2.04, 1.5), 0.3), COVARIANCE, confidence=1.0, inliers=9)
    (row,) = rows_of([answer], {"a": truth}, ())
    assert row.error == pytest.approx((0.05, 0.0), abs=1e-6)
    assert row.offset == pytest.approx(position_of(truth) - [1.03, 2.04, 1.5])
    assert row.verdict == "outside 99\N{NO-BREAK SPACE}%"  # 25 sigma away


def test_plan_places_the_site_upright() -> None:
    landmarks = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 1.0], [0.0, 5.0, 2.0], [10.0, 5.0, 3.0]])
    answers, truth = _answers(2)
    plan = draw_plan(landmarks, [look((2, 2, 1.5), 0.0)], [0.5], rows_of(answers, truth, ()), "m")
    spots = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', plan.drawing)]
    assert len(spots) == 2
    assert all(y > 250 for y in spots)  # y = 1 of 5 m is in the lower half of the page
    assert plan.magnification > 1
    assert plan.heights[0] < plan.heights[-1]


@pytest.mark.parametrize("landmarks", [np.zeros((1, 3)), np.zeros((7, 3)), np.array([[0.0, 0, 0], [0, 9, 0]])])
def test_plan_of_degenerate_maps(landmarks: np.ndarray) -> None:
    drawing = draw_plan(landmarks, [], [], [], "m").drawing
    assert "nan" not in drawing
    assert "inf" not in drawing


def test_plan_survives_a_wild_answer() -> None:
    wild = localized("far", look((1e6, -1e6, 0), 0.0), COVARIANCE, confidence=0.1, inliers=12)
    landmarks = np.random.default_rng(0).uniform(0, 10, (50, 3))
    drawing = draw_plan(landmarks, [], [], rows_of([wild], None, ()), "m").drawing
    height = float(re.search(r'viewBox="0 0 960 ([\d.]+)"', drawing).group(1))
    assert 500 < height < 1500


def test_charts_without_data_are_absent() -> None:
    rows = rows_of(_answers()[0], None, ())
    assert draw_errors(rows) is None
    assert draw_honesty(rows) is None
    assert draw_histogram([0, 0], ("a", "b")) is None


def test_histogram_keeps_every_count() -> None:
    drawing = draw_histogram([0, 0, 600, 300, 90, 8, 1, 1], ("images", "landmarks"))
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" class="bar"', drawing)]
    assert np.array(heights) / heights[0] == pytest.approx([1.0, 0.5, 0.15, 10 / 600], abs=0.01)


def test_example_refuses_unequal_matches() -> None:
    with pytest.raises(InputError, match=r"expected \(2, 2\)"):
        MatchExample(
            query="q", view="v", query_file=Path("q"), view_file=Path("v"),
            query_pixels=np.zeros((2, 2)), view_pixels=np.zeros((3, 2)), inliers=2,
        )  # fmt: skip


def test_no_localized_photo_no_example(twin: Twin, tmp_path: Path) -> None:
    class NoTwin:
        def localizer(self) -> None: ...
        def extractor(self) -> None: ...

    assert find_examples(NoTwin(), [refusal("a", "dark")], {}, tmp_path) == []  # type: ignore[arg-type]


@given(st.text(), st.text())
def test_svg_escapes_everything(words: str, attribute: str) -> None:
    drawing = element("text", words, title=attribute)
    assert drawing.count("<") == 2
    assert drawing.count('"') == 2
    assert "&lt;" in element("text", "<")


def test_svg_paths() -> None:
    assert path([[0, 1], [2.25, 3]], closed=True) == "M0.0 1.0L2.2 3.0Z"
    assert path(np.zeros((0, 2))) == ""
    assert dots([[1, 2]]) == "M1.0 2.0h0"


@pytest.mark.parametrize(
    ("metres", "words"),
    [(0.0, "0.00 mm"), (0.00091, "0.91 mm"), (0.0123, "12.3 mm"), (0.27, "27 cm"), (14.0, "14.0 m")],
)
def test_lengths(metres: float, words: str) -> None:
    assert units.length(metres).replace(units.NO_BREAK, " ") == words


@given(st.floats(0, 1))
def test_only_all_is_100_percent(fraction: float) -> None:
    shown = units.share(fraction)
    assert (shown.startswith("100")) == (fraction == 1.0)
    assert (shown.startswith("0")) == (fraction == 0.0)
