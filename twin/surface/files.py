"""A surface in the folder of a twin: mesh.ply, which MeshLab and Open3D open, and surface/ with what goes with it.

surface/texture.jpg is the atlas that mesh.ply names (in MeshLab's manner: a comment, and texture coordinates for each
corner), surface/seen.png which texels photos saw, surface/charts.json the frames of the charts and the evidence.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from geometry import InputError, TwinDamagedError, TwinFormatError, read_bounded, write_atomic
from perception import read_image
from twin.surface.charts import MAX_TEXELS, Chart, frames_of
from twin.surface.evidence import Evidence
from twin.surface.panels import PanelMesh

FORMAT = 1
MESH, FOLDER = "mesh.ply", "surface"
TEXTURE, SEEN, CHARTS = "texture.jpg", "seen.png", "charts.json"
JPEG_QUALITY = 93
REMEDY = "Make the surface again."
MAX_BYTES = 1 << 30

_VERTEX = np.dtype([("point", "<f4", 3)])
_FACE = np.dtype([("corners", "u1"), ("vertices", "<i4", 3), ("numbers", "u1"), ("uv", "<f4", 6), ("chart", "<i4")])
_HEADER = f"""ply
format binary_little_endian 1.0
comment TextureFile {FOLDER}/{TEXTURE}
element vertex {{}}
property float x
property float y
property float z
element face {{}}
property list uchar int vertex_indices
property list uchar float texcoord
property int chart
end_header
"""


def write_surface(
    folder: Path,
    *,
    mesh: PanelMesh,
    charts: Sequence[Chart],
    texture: NDArray[np.uint8],
    seen: NDArray[np.bool_],
    evidence: Sequence[Evidence],
) -> None:
    """Write mesh.ply and surface/ into ``folder``, which must exist; ``InputError`` for what can't be written."""
    (folder / FOLDER).mkdir(exist_ok=True)
    write_atomic(folder / FOLDER / TEXTURE, _encoded(texture, "JPEG", quality=JPEG_QUALITY, subsampling=0))
    write_atomic(folder / FOLDER / SEEN, _encoded(seen, "PNG"))
    write_atomic(folder / FOLDER / CHARTS, json.dumps(_description(charts, evidence), allow_nan=False).encode())
    write_atomic(folder / MESH, _ply(mesh, charts, seen.shape))


def read_surface(folder: Path) -> dict[str, Any]:
    """Read what ``write_surface`` wrote, by the same names.

    Raises ``TwinDamagedError`` naming the file that is missing or wrong, ``TwinFormatError`` for a newer format.
    """
    try:
        charts, evidence = _read_description(folder / FOLDER / CHARTS)
        texture = read_image(folder / FOLDER / TEXTURE, max_pixels=2 * MAX_TEXELS, max_bytes=MAX_BYTES).pixels
        seen = read_image(folder / FOLDER / SEEN, max_pixels=2 * MAX_TEXELS, max_bytes=MAX_BYTES).gray > 127
        mesh = _read_ply(folder / MESH, charts)
    except InputError as error:
        raise TwinDamagedError(error.what, where=error.where, remedy=REMEDY) from error
    return {"mesh": mesh, "charts": tuple(charts), "texture": texture, "seen": seen, "evidence": tuple(evidence)}


def _encoded(picture: NDArray[Any], kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind, **options)
    return stream.getvalue()


def _description(charts: Sequence[Chart], evidence: Sequence[Evidence]) -> dict[str, Any]:
    entries = [
        {
            "element": chart.element,
            "kind": chart.kind,
            "origin": chart.origin.tolist(),
            "axes": chart.axes.tolist(),
            "px_per_m": chart.px_per_m,
            "corner": list(chart.corner),
            "shape": list(chart.shape),
        }
        for chart in charts
    ]
    return {"format": FORMAT, "charts": entries, "evidence": [asdict(each) for each in evidence]}


def _read_description(path: Path) -> tuple[list[Chart], list[Evidence]]:
    try:
        content = json.loads(read_bounded(path))
        version = content["format"]
        if isinstance(version, int) and version > FORMAT:
            what = f"format {version} is newer than this Tiepoint reads ({FORMAT})"
            raise TwinFormatError(what, where=str(path), remedy="Update Tiepoint.")
        charts = [_chart(entry) for entry in content["charts"]]
        return charts, [Evidence(**entry) for entry in content["evidence"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy=REMEDY) from error


def _chart(entry: dict[str, Any]) -> Chart:
    origin, axes = np.array(entry["origin"], dtype=np.float64), np.array(entry["axes"], dtype=np.float64)
    if origin.shape != (3,) or axes.shape != (2, 3) or not np.isfinite(origin).all():
        raise ValueError("a chart's frame is not one")
    if not np.allclose(axes @ axes.T, np.eye(2), atol=1e-6):
        raise ValueError("a chart's axes are not at right angles")
    column, row = (int(value) for value in entry["corner"])
    rows, columns = (int(value) for value in entry["shape"])
    density = float(entry["px_per_m"])
    if not 0 < density < 1e5:
        raise ValueError("a chart has an impossible number of texels a metre")
    return Chart(
        element=str(entry["element"]),
        kind=str(entry["kind"]),
        origin=origin,
        axes=axes,
        px_per_m=density,
        corner=(column, row),
        shape=(rows, columns),
    )


def _ply(mesh: PanelMesh, charts: Sequence[Chart], shape: tuple[int, ...]) -> bytes:
    vertices, faces = np.zeros(len(mesh.vertices), _VERTEX), np.zeros(len(mesh.triangles), _FACE)
    vertices["point"] = mesh.vertices
    faces["corners"], faces["numbers"] = 3, 6
    faces["vertices"], faces["chart"] = mesh.triangles, mesh.panel
    corner, _, density = frames_of(charts)
    rows, columns = shape
    texel = mesh.uv[mesh.triangles] * density[mesh.panel, None, None] + corner[mesh.panel][:, None]
    faces["uv"] = (texel / (columns, rows) * (1, -1) + (0, 1)).reshape(-1, 6)
    return _HEADER.format(len(vertices), len(faces)).encode() + vertices.tobytes() + faces.tobytes()


def _read_ply(path: Path, charts: Sequence[Chart]) -> PanelMesh:
    content = read_bounded(path)
    head, separator, body = content.partition(b"end_header\n")
    try:
        counts = [int(line.split()[2]) for line in head.decode("ascii").splitlines() if line.startswith("element ")]
        wrong = (head + separator).decode("ascii") != _HEADER.format(*counts) or min(counts) < 0
    except (ValueError, IndexError) as error:
        raise TwinDamagedError("is not a mesh of Tiepoint's", where=str(path), remedy=REMEDY) from error
    if wrong or len(body) != counts[0] * _VERTEX.itemsize + counts[1] * _FACE.itemsize:
        raise TwinDamagedError("is not a mesh of Tiepoint's, or is cut off", where=str(path), remedy=REMEDY)
    vertices = np.frombuffer(body, _VERTEX, counts[0])["point"]
    faces = np.frombuffer(body, _FACE, counts[1], counts[0] * _VERTEX.itemsize)
    triangles, chart = faces["vertices"], faces["chart"].astype(np.int32)
    shaped = (faces["corners"] == 3).all() and (faces["numbers"] == 6).all() and np.isfinite(vertices).all()
    indices = counts[1] == 0 or (triangles.min() >= 0 and triangles.max() < counts[0])
    if not shaped or not indices or (counts[1] and not 0 <= chart.min() <= chart.max() < len(charts)):
        raise TwinDamagedError("holds indices or numbers that can't be", where=str(path), remedy=REMEDY)
    owner = np.zeros(counts[0], dtype=np.int64)
    owner[triangles] = chart[:, None]
    origins = np.array([each.origin for each in charts]).reshape(-1, 3)
    axes = np.array([each.axes for each in charts]).reshape(-1, 2, 3)
    uv = np.einsum("vij,vj->vi", axes[owner], vertices - origins[owner]) if counts[0] else np.zeros((0, 2))
    return PanelMesh(
        vertices=np.ascontiguousarray(vertices),
        uv=uv.astype(np.float32),
        triangles=triangles.astype(np.uint32),
        panel=chart,
    )
