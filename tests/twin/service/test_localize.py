import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geometry import Georeference, camera_for, read_cameras
from tests.conftest import Rendered
from twin.model import Twin
from twin.queries import localize_images

PATH = "/v1/twins/room/localize"


@pytest.fixture(scope="module")
def lens(rendered: Rendered):
    camera = camera_for("a.jpg", read_cameras(rendered.cameras))
    assert camera is not None
    params = " ".join(f"{n:.6f}" for n in camera.params.tolist())
    return {"model": camera.model_name, "width": str(camera.width), "height": str(camera.height), "params": params}


@pytest.fixture(scope="module")
def photos(rendered: Rendered) -> list[Path]:
    return sorted(rendered.queries.glob("*.jpg"))[:3]


@pytest.fixture(scope="module")
def library(mapped: Path, photos, rendered: Rendered):
    found = localize_images(Twin.open(mapped), [(p.name, p) for p in photos], read_cameras(rendered.cameras))
    return {answer.image: answer for answer in found}


def ask(served, photos, **data):
    return served.post(PATH, files=[("images", (p.name, p.read_bytes())) for p in photos], data=data)


def test_the_answers_are_the_librarys(served, photos, library, lens):
    got = ask(served, photos, **lens)
    assert got.status_code == 200
    answers = got.json()["localizations"]
    assert [each["image"] for each in answers] == [p.name for p in photos]
    assert any(each["status"] == "ok" for each in answers)
    for each in answers:
        own = library[each["image"]]
        assert each["status"] == own.status
        if own.position is not None:
            np.testing.assert_allclose(each["position"], own.position, atol=1e-6)
            np.testing.assert_allclose(each["covariance"], own.covariance, rtol=1e-6, atol=1e-12)


def test_a_pose_comes_as_geopose_with_its_uncertainty(served, photos, lens, mapped):
    answers = ask(served, photos, **lens).json()["localizations"]
    georeference = Georeference(**Twin.open(mapped).manifest.georeference)
    found = [each for each in answers if each["status"] == "ok"]
    for each in found:
        ((lat, lon, h),) = georeference.wgs84_from_site([each["position"]]).tolist()
        position = each["geopose"]["position"]
        np.testing.assert_allclose([position["lat"], position["lon"], position["h"]], [lat, lon, h], rtol=1e-12)
        sigma = each["geo_uncertainty"]["horizontal_sigma_m"]
        assert 0 < sigma <= each["position_sigma_m"] * (1 + 1e-9)


def test_a_hint_that_contradicts_the_photo_makes_it_refused(served, photos, lens, library):
    photo = next(p for p in photos if library[p.name].status == "ok")
    x, y, z = library[photo.name].position
    right = ask(served, [photo], near=f"{x:.2f},{y:.2f},{z:.2f},1", **lens).json()["localizations"][0]
    assert right["status"] == "ok"
    wrong = ask(served, [photo], near=f"{x + 60:.2f},{y:.2f},{z:.2f},1", **lens).json()["localizations"][0]
    assert wrong["status"] == "refused"
    assert "hint" in wrong["reason"]


def picture(kind="JPEG", size=(480, 360)):
    buffer = io.BytesIO()
    Image.fromarray(np.full((*size[::-1], 3), 90, dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 415), (b"GIF89a", 415), (b"no image", 415), (picture()[:200], 415), (picture()[:700], 422)],
)
def test_what_is_no_photo_is_refused(served, lens, content, status):
    got = served.post(PATH, files={"images": ("a.jpg", content)}, data=lens)
    assert got.status_code in (415, 422)
    assert got.status_code == status or len(content) > 100
    assert got.headers["content-type"] == "application/problem+json"


def test_a_flat_photo_is_an_answer_and_not_an_error(served, lens):
    got = served.post(PATH, files={"images": ("../../a.jpg", picture())}, data=lens)
    assert got.status_code == 200
    (answer,) = got.json()["localizations"]
    assert (answer["image"], answer["status"]) == ("a.jpg", "refused")


def test_nothing_is_left_of_photos(served, lens):
    served.post(PATH, files={"images": ("a.jpg", picture())}, data=lens)
    assert list(served.app.state.service.uploads.iterdir()) == []


def test_too_many_pixels_are_refused_unseen(served, lens):
    buffer = io.BytesIO()
    Image.new("1", (20_000, 5_000)).save(buffer, "PNG")
    got = served.post(PATH, files={"images": ("a.png", buffer.getvalue())}, data=lens)
    assert got.status_code == 413


@pytest.mark.parametrize(
    "data",
    [
        {"model": "PINHOLE"},
        {"near": "1,2"},
        {"near": "1,2,3,4", "near_wgs84": "52,13,5"},
        {"heading_deg": "nan"},
        {"model": "PINHOLE", "width": "480", "height": "360", "params": "1 2 3"},
        {"model": "PINHOLE", "width": "10", "height": "10", "params": "9 9 5 5"},
    ],
)
def test_wrong_parameters_are_refused(served, data):
    assert served.post(PATH, files={"images": ("a.jpg", picture())}, data=data).status_code == 422


def test_what_can_not_be_is_a_conflict(served):
    files = {"images": ("a.jpg", picture())}
    assert served.post("/v1/twins/site/localize", files=files).status_code == 409
    assert served.post(PATH, files=files, data={"level": "P99"}).status_code == 409
    assert served.post("/v1/twins/nowhere/localize", files=files).status_code == 404
