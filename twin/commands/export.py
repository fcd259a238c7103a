"""tiepoint export: a twin as files for other tools."""

from pathlib import Path

import click

FORMAT_NAMES = ("colmap", "glb", "usd", "geojson", "nerfstudio")


@click.command("export")
@click.argument("twin", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--format", "format_", required=True, type=click.Choice(FORMAT_NAMES), help="What to write.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File, or new folder for a format of many.")
@click.option("--text", is_flag=True, help="colmap: the model as text.")
@click.option("--georeference", help="geojson: where on Earth the site is, as for `tiepoint map`.")
@click.option("--site-frame", is_flag=True, help="geojson: in site metres rather than WGS84.")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="nerfstudio: the folder of the map's photos, named in transforms.json.",
)
def command(
    twin: Path, format_: str, out: Path, text: bool, georeference: str | None, site_frame: bool, images: Path | None
) -> None:
    """Write a TWIN for other tools.

    Example: tiepoint export my-garage --format glb --out my-garage.glb
    """
    from geometry import read_georeference
    from twin.export import ExportOptions, export_twin
    from twin.model import Twin

    tie = read_georeference(georeference) if georeference is not None else None
    options = ExportOptions(text=text, georeference=tie, site_frame=site_frame, images=images)
    export_twin(Twin.open(twin), format_, out, options)
    click.echo(str(out))
