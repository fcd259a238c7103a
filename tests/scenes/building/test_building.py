"""Laws of everything that is built: windings, uv in metres and not mirrored, seeds, look-alike levels."""

import numpy as np
import shapely

from scenes.building import Building, build_facility
from scenes.facility import Facility
from scenes.rendering.shapes import Shape
from tests.scenes.building.conftest import RING, small_facility


def sides_of(shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the triangles' corners (T, 3, 3), their uv (T, 3, 2) and mean shading normals (T, 3)."""
    return (
        shape.vertices[shape.triangles].astype(float),
        shape.uv[shape.triangles].astype(float),
        shape.normals[shape.triangles].astype(float).mean(axis=1),
    )


def test_there_is_one_of_everything(building: Building) -> None:
    names = [shape.name for shape in building.shapes]
    assert len(set(names)) == len(names)
    for word in ("floor", "ceiling", "slab edge", "wall", "pillar", "sign", "door", "poster", "pipe", "crate", "lamp",
                 "gate", "tag", "service", "tray", "ramp", "street"):  # fmt: skip
        assert any(f"/{word}" in name for name in names), word


def test_windings_and_normals_agree(building: Building) -> None:
    for shape in building.shapes:
        corners, _, normals = sides_of(shape)
        facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(facing, axis=1)
        assert area.min() > 1e-10, shape.name
        np.testing.assert_allclose(np.linalg.norm(shape.normals, axis=1), 1, atol=1e-5, err_msg=shape.name)
        assert ((facing / area[:, None] * normals).sum(axis=1) > 0.7).all(), shape.name


def test_uv_is_in_metres_and_nothing_is_mirrored(building: Building) -> None:
    """The texture's right, seen from the front, is dP/du; its up is -dP/dv; right x up is the normal."""
    for shape in building.shapes:
        corners, uv, normals = sides_of(shape)
        edges, steps = corners[:, 1:] - corners[:, :1], uv[:, 1:] - uv[:, :1]
        gradient = np.linalg.solve(steps, edges)  # rows: dP/du, dP/dv
        np.testing.assert_allclose(
            np.linalg.norm(gradient, axis=2), 1, rtol=0.05, err_msg=shape.name
        )  # a rod of 6 sides: 0.955
        out = np.cross(gradient[:, 0], -gradient[:, 1])
        assert ((out * normals).sum(axis=1) > 0.7).all(), shape.name


def test_upright_boards_read_from_left_to_right(building: Building) -> None:
    for name in ("P1/sign P1-exit", "P1/tag 7", "P1/door P1-door"):
        shape = next(shape for shape in building.shapes if shape.name == name)
        corners, uv, _ = (part[:2] for part in sides_of(shape))  # the front's two triangles face +y
        order = np.argsort(uv.reshape(-1, 2)[:, 0], kind="stable")
        assert (np.diff(corners.reshape(-1, 3)[order, 0]) <= 1e-6).all()  # who looks along -y has +x on the left
        assert corners[..., 2].max() - corners[..., 2].min() > 0.1


def test_texels_are_seen_on_their_texture(building: Building) -> None:
    """No surface hangs over its texture's edge by more than what rounding and flat pillar sides explain."""
    for shape in building.shapes:
        if any(word in shape.name for word in ("/case", "/body", "/rods", "cage")):
            continue  # plain sheet metal
        high, wide = np.array(shape.texture.image.shape[:2]) / shape.texture.px_per_m
        assert shape.uv.min() > -0.05, shape.name
        if any(word in shape.name for word in ("floor", "ceiling", "wall", "pillar", "sign", "door", "tag")):
            slack = 0.6 / shape.texture.px_per_m + 0.02
            assert (shape.uv.max(axis=0) < np.array([wide, high]) + slack).all(), shape.name


def test_the_same_seed_gives_the_same_bytes(building: Building) -> None:
    again = build_facility(small_facility())
    for first, second in zip(building.shapes, again.shapes, strict=True):
        assert first.name == second.name
        for field in ("vertices", "triangles", "normals", "uv"):
            np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
        np.testing.assert_array_equal(first.texture.image, second.texture.image)


def test_another_seed_and_another_look_give_other_texels(building: Building) -> None:
    floors = [building.shapes[0], build_facility(small_facility(seed=4)).shapes[0],
              build_facility(small_facility(look="")).shapes[0]]  # fmt: skip
    assert {shape.name for shape in floors} == {"P1/floor"}
    for other in floors[1:]:
        assert (other.texture.image != floors[0].texture.image).mean() > 0.3


def test_levels_of_one_look_share_their_textures_but_for_signs_and_wear(building: Building) -> None:
    upper = {shape.name.replace("P2", "P1"): shape for shape in building.shapes if shape.name.startswith("P2")}
    differing = set()
    for shape in building.shapes:
        twin = upper.get(shape.name)
        if twin is not None and twin.texture is not shape.texture:
            differing.add(shape.name)
            assert twin.texture.image.shape == shape.texture.image.shape
    assert differing == {"P1/floor", "P1/sign P1-exit"}


def test_listed_wear_is_the_only_difference_of_a_floor(building: Building) -> None:
    lower, upper = (next(s for s in building.shapes if s.name == f"{level}/floor") for level in ("P1", "P2"))
    rows, columns = np.nonzero((lower.texture.image != upper.texture.image).any(axis=2))
    left, right = np.array([columns.min(), columns.max() + 1]) / upper.texture.px_per_m
    top, bottom = 12 - np.array([rows.min(), rows.max() + 1]) / upper.texture.px_per_m
    assert 11.2 < left < right < 12.8
    assert 5.4 < bottom < top < 6.6


def test_free_space_is_the_floor_less_what_stands_on_it(building: Building, facility: Facility) -> None:
    space = building.free_space["P1"]
    assert space.within(shapely.Polygon(RING))
    for x, y, free in ((12.0, 6.5, True), (5.0, 5.0, False), (8.0, 9.5, False), (8.0, 3.0, True), (1.5, 11.5, False)):
        assert space.contains(shapely.Point(x, y)) == free
    assert set(building.free_space) == {level.id for level in facility.levels}
