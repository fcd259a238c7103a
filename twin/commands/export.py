"""tiepoint export: a twin as files for other tools."""

from pathlib import Path

import click

FORMAT_NAMES = ("colmap", "glb", "usd", "geojson", "nerfstudio")


@click.command("export")
@click.argument("twin", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--format", "format_", required=True, type=click.Choice(FORMAT_NAMES), help="What to write.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File, or new folder for a format of many.")
@click.option("--text", is_flag=True, help="colmap: the model as text.")
@click.option("--georeference", help="geojson: LAT,LON,HEIGHT,HEADING of the site's origin, degrees and metres.")
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
    from geometry import Georeference
    from twin.export import ExportOptions, export_twin
    from twin.model import Twin

    tie = None
    if georeference is not None:
        try:
            latitude, longitude, height, heading = map(float, georeference.split(","))
        except ValueError:
            raise click.UsageError("--georeference is LAT,LON,HEIGHT,HEADING, four numbers.") from None
        tie = Georeference(latitude, longitude, height, heading)
    options = ExportOptions(text=text, georeference=tie, site_frame=site_frame, images=images)
    export_twin(Twin.open(twin), format_, out, options)
    click.echo(str(out))
