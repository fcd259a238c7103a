"""tiepoint map: from photos to a twin."""

import json
from pathlib import Path

import click

from twin.cli import echo_json
from twin.commands.progress import StageBars

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("map")
@click.argument("images", type=FOLDER)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The twin to write; an old one is replaced."
)
@click.option("--cameras", type=FILE, help="cameras.csv: lenses, kept fixed. Without it they come from EXIF.")
@click.option("--poses", type=FILE, help="poses.csv: known poses (sigmas 0) or priors.")
@click.option("--control", type=FILE, help="control.csv: surveyed points, with --marks or --plan-control.")
@click.option("--marks", type=FILE, help="marks.csv: where the control points are seen.")
@click.option("--tags", type=FILE, help="tags.csv: AprilTags with sizes, and poses where known.")
@click.option("--plan", type=FILE, help="Floor plan in site: plan.json, GeoJSON or DXF. Without one it is proposed.")
@click.option("--layers", type=FILE, help="Layer map of a DXF plan; see docs/plans.md.")
@click.option("--plan-control", type=FILE, help="The same control points, named alike, in the plan's own frame.")
@click.option("--fit-plan", is_flag=True, help="The plan has a frame of its own: fit it to the map's walls and marks.")
@click.option("--georeference", help="Where on Earth the site is: LAT,LON,HEIGHT,HEADING, or a YAML or JSON file.")
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(["marks", "signs", "textures", "telltales", "surface"]),
    help="Leave out; can be repeated.",
)
@click.option("--refine-lens", is_flag=True, help="Adjust the lenses of --cameras too.")
@click.option("--features", default="sift", show_default=True, help="Local features: sift, sift-colmap or xfeat.")
@click.option("--matcher", default="mutual-ratio", show_default=True, help="Feature matcher: mutual-ratio or adalam.")
@click.option(
    "--update",
    type=FOLDER,
    metavar="TWIN",
    help="Make the next version of this twin, in its frame: IMAGES holds the photos that stay and the new ones.",
)
@click.option("--budget-mb", type=click.FloatRange(min=0.0, min_open=True), help="Thin the map to this many MB.")
@click.option("--force", is_flag=True, help="Publish a map that surveyed tags contradict; quality.json says so.")
@click.option("--json", "as_json", is_flag=True, help="Print quality.json.")
def command(
    images: Path,
    out: Path,
    cameras: Path | None,
    poses: Path | None,
    control: Path | None,
    marks: Path | None,
    tags: Path | None,
    plan: Path | None,
    layers: Path | None,
    plan_control: Path | None,
    fit_plan: bool,
    georeference: str | None,
    without: tuple[str, ...],
    refine_lens: bool,
    features: str,
    matcher: str,
    update: Path | None,
    budget_mb: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Build a twin from the photos in the folder IMAGES.

    Example: tiepoint map photos/ --out my-garage --poses poses.csv

    A month later: tiepoint map photos/ --out my-garage --update my-garage
    """
    from geometry import read_georeference
    from twin import MapInputs, MapOptions, map_images, update_map
    from twin.mapping import PARTS
    from twin.model import UPDATE_FILE
    from twin.quality_remarks import remarks
    from twin.update_remarks import update_remarks

    if (marks is not None and control is None) or (control is not None and marks is None and plan_control is None):
        raise click.UsageError("--control and --marks belong together.")
    if plan is None and (layers or fit_plan or plan_control):
        raise click.UsageError("--layers, --fit-plan and --plan-control need --plan.")
    if plan_control and (fit_plan or control is None):
        raise click.UsageError("--plan-control needs --control, and takes the place of --fit-plan.")
    inputs = MapInputs(
        images=images,
        cameras=cameras,
        poses=poses,
        control=control,
        marks=marks,
        tags=tags,
        plan=plan,
        plan_control=plan_control,
        layers=layers,
    )
    options = MapOptions(
        refine_lens=refine_lens,
        extractor=features,
        matcher=matcher,
        force=force,
        parts=tuple(part for part in PARTS if part not in without),
        fit_plan=fit_plan,
        budget_mb=budget_mb,
        georeference=read_georeference(georeference) if georeference is not None else None,
    )
    bars = StageBars()
    try:
        if update is None:
            quality = map_images(inputs, out, options, bars)
        else:
            quality = update_map(inputs, update, out, options, bars)
    finally:
        bars.close()
    if as_json:
        echo_json(quality)
        return
    if update is not None:
        for line in update_remarks(json.loads((out / UPDATE_FILE).read_text("utf-8"))):
            click.echo(f"  {line}")
    for line in remarks(quality):
        click.echo(f"  {line}")
    placed, missing = quality["images"]["placed"], quality["images"]["not_placed"]
    click.echo(f"{out}: {placed} images placed, {quality['landmarks']['count']} landmarks")
    for name, reason in missing.items():
        click.echo(f"  not placed: {name}: {reason}")
    left_out = quality["left_out"]
    click.echo(f"  of {left_out['images']} images left out in turn, {left_out['localized']} were localized", nl=False)
    error = left_out["position_error_m"]
    click.echo(f" (median {error['median'] * 1000:.1f} mm, worst {error['max'] * 1000:.1f} mm)" if error else "")
