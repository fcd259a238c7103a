import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open3d as o3d
import pytest

from geometry import TwinDamagedError, TwinFormatError
from tests.twin.surface.rooms import noise_surface, room
from twin.store import Manifest, SiteFrame, problems, publish
from twin.surface import Evidence, Surface

CHARTS = "surface/charts.json"


@pytest.fixture
def surface() -> Surface:
    plain = noise_surface(room())
    evidence = (Evidence(element="A/wall 0", support=7, contradicted=0, status="confirmed", removed_m2=0.0),)
    seen = np.random.default_rng(0).random(plain.seen.shape) < 0.5
    return Surface(mesh=plain.mesh, charts=plain.charts, texture=plain.texture, seen=seen, evidence=evidence)


def test_a_surface_reads_back(surface: Surface, tmp_path: Path) -> None:
    surface.save(tmp_path)
    found = Surface.load(tmp_path)
    for name in ("vertices", "triangles", "panel"):
        assert np.array_equal(getattr(found.mesh, name), getattr(surface.mesh, name))
    assert found.mesh.uv == pytest.approx(surface.mesh.uv, abs=1e-5)
    assert np.array_equal(found.seen, surface.seen)
    assert found.evidence == surface.evidence
    assert np.abs(found.texture.astype(int) - surface.texture).mean() < 8  # JPEG of noise; measured 4.5
    assert [chart.element for chart in found.charts] == [chart.element for chart in surface.charts]
    opened = o3d.io.read_triangle_mesh(tmp_path / "mesh.ply")
    assert np.allclose(np.asarray(opened.vertices), surface.mesh.vertices)
    assert np.array_equal(np.asarray(opened.triangles), surface.mesh.triangles)


def test_a_published_surface_has_checksums(surface: Surface, tmp_path: Path) -> None:
    frame = SiteFrame(aligned_by=[], metric=True)
    manifest = Manifest(format=1, name="t", created="", tiepoint="", frame=frame, features={}, lenses={}, mapping={})
    publish(tmp_path / "twin", manifest, surface.save)
    assert problems(tmp_path / "twin") == []
    (tmp_path / "twin" / "mesh.ply").write_bytes(b"ply\n")
    assert problems(tmp_path / "twin") == ["mesh.ply was altered: its sha256 differs"]


def altered(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return damage


def with_chart(**values: object) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        description = json.loads(content)
        description["charts"][0].update(values)
        return json.dumps(description).encode()

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "mesh.ply").unlink(),
        lambda folder: (folder / "surface" / "texture.jpg").unlink(),
        altered("mesh.ply", lambda content: content[:-5]),
        altered("mesh.ply", lambda content: content.replace(b"ply\n", b"obj\n", 1)),
        altered("mesh.ply", lambda content: content.replace(b"element vertex ", b"element vertex 9", 1)),
        altered("mesh.ply", lambda content: content[:-4] + (10**6).to_bytes(4, "little")),
        altered("mesh.ply", lambda content: content[:-44] + (10**6).to_bytes(4, "little") + content[-40:]),
        altered("surface/texture.jpg", lambda content: content[: len(content) // 2]),
        altered("surface/seen.png", lambda content: b"not a picture"),
        altered(CHARTS, lambda content: content[:-9]),
        altered(CHARTS, lambda content: b"[]"),
        altered(CHARTS, with_chart(axes=[[1, 0, 0], [1, 0, 0]])),
        altered(CHARTS, with_chart(origin=[0, 0])),
        altered(CHARTS, with_chart(corner=[-1, 0])),
        altered(CHARTS, with_chart(shape=[10**6, 2])),
        altered(CHARTS, with_chart(px_per_m=0)),
    ],
)
def test_damaged_surfaces_are_refused(damage: Callable[[Path], None], surface: Surface, tmp_path: Path) -> None:
    surface.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(TwinDamagedError, match=r"Make the surface again\.") as raised:
        Surface.load(tmp_path)
    assert raised.value.where is not None
    assert str(tmp_path) in raised.value.where


def test_a_newer_format_is_refused(surface: Surface, tmp_path: Path) -> None:
    surface.save(tmp_path)
    altered(CHARTS, lambda content: content.replace(b'"format": 1', b'"format": 2'))(tmp_path)
    with pytest.raises(TwinFormatError, match="newer"):
        Surface.load(tmp_path)
