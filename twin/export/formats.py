"""One function to export a twin, by the name of a format."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from geometry import Georeference, InputError, TwinError, nearest_known, write_plan_geojson
from twin.model import Twin

FORMATS = {
    "colmap": "a folder with the model, binary or text, which COLMAP opens",
    "glb": "glTF 2.0 in one file, y up: surface with texture, landmarks, fixed cameras",
    "usd": "OpenUSD, z up and metres, .usdz or .usda/.usdc: surface, landmarks, fixed cameras",
    "geojson": "the floor plan, in WGS84 where the site is georeferenced",
    "nerfstudio": "a folder with transforms.json and a point cloud, to train radiance fields from",
}
_WRITERS = {
    "colmap": "twin.export.colmap_folder",
    "glb": "twin.export.glb",
    "usd": "twin.export.usd",
    "nerfstudio": "twin.export.nerfstudio",
}


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What formats need beyond the twin.

    text: COLMAP's model as text; georeference: of the site, where twin.yaml has none; site_frame: GeoJSON in site
    metres; images: the folder of the map's photos, as nerfstudio names them
    """

    text: bool = False
    georeference: Georeference | None = None
    site_frame: bool = False
    images: Path | None = None


def export_twin(twin: Twin, format: str, out: Path, options: ExportOptions | None = None) -> None:
    """Write a twin in one of ``FORMATS`` to ``out``, a file or, where the format says so, a new folder.

    Raises ``InputError`` for an unknown format or a path that the format can't have, ``TwinError`` where the twin
    lacks what the format shows, ``MissingExtraError`` where a library is not installed.
    """
    options = options or ExportOptions()
    if format not in FORMATS:
        raise InputError(f"there is no format '{format}'", remedy=nearest_known(format, FORMATS))
    if format == "geojson":
        write_plan_of(twin, out, options)
        return
    write: Callable[[Twin, Path, ExportOptions], None] = import_module(_WRITERS[format]).write
    write(twin, out, options)


def write_plan_of(twin: Twin, out: Path, options: ExportOptions) -> None:
    """Write the plan as GeoJSON: in WGS84, or in site metres where that is asked."""
    if twin.plan is None:
        remedy = "Map with --plan, or use a twin whose floors showed one."
        raise TwinError("has no floor plan", where=str(twin.folder), remedy=remedy)
    georeference = None if options.site_frame else options.georeference or twin.georeference
    if georeference is None and not options.site_frame:
        remedy = "Give --georeference LAT,LON,HEIGHT,HEADING, or --site-frame for metres."
        raise TwinError("is not tied to the Earth", where=str(twin.folder), remedy=remedy)
    write_plan_geojson(out, twin.plan, georeference=georeference)


def require_new_folder(out: Path) -> None:
    """Raise ``InputError`` where ``out`` exists and is not an empty folder; make it otherwise."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("exists and is not an empty folder", where=str(out), remedy="Choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
