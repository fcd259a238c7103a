"""tiepoint serve: the HTTP service and the live engine."""

from pathlib import Path
from typing import Any

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("serve")
@click.argument("twins", nargs=-1, type=FOLDER)
@click.option("--host", default="127.0.0.1", show_default=True, help="Beyond this machine only with a key.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--data",
    default=Path("tiepoint-data"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the database and of uploaded twins.",
)
@click.option("--database", envvar="TIEPOINT_DATABASE", help="postgresql://... instead of SQLite in --data.")
@click.option(
    "--cameras", multiple=True, metavar="[TWIN=]FILE", help="cameras.json of a twin's fixed cameras, if not its own."
)
@click.option("--group", multiple=True, metavar="TWIN:NAME=CAM,CAM", help="Cameras tracked by a process of their own.")
@click.option("--store", multiple=True, metavar="TWIN=ADDRESS", help="Where a twin's sightings are, for search.")
@click.option("--model", type=FILE, help="ONNX network that embedded the sightings, for search by picture.")
@click.option("--crops", multiple=True, metavar="[TWIN=]FOLDER", help="Crops that tiepoint index kept, to show.")
@click.option("--reports", multiple=True, metavar="[TWIN=]FOLDER", help="Pages about a twin, to show in the console.")
@click.option("--video", multiple=True, metavar="TWIN:CAM=WHERE", help="A camera's file, folder or rtsp address.")
@click.option("--detector", help="What looks at videos and pictures: tiepoint, background, or an .onnx file.")
@click.option(
    "--stalls",
    help="What looks at stalls in videos: tiepoint, an .onnx file, none. [default: tiepoint for its own detector]",
)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that localize; by default one a core, up to 4.")
@click.option("--delay", default=0.3, show_default=True, help="How long late frames are waited for, seconds.")
@click.option("--clock-sigma", default=0.0, show_default=True, help="How far cameras' clocks may be off, seconds.")
@click.option(
    "--rate", default=1200, show_default=True, help="Requests of a key a minute; of frames ten times as many."
)
@click.option("--stream-seconds", default=3600.0, show_default=True, help="When a live stream ends, to be resumed.")
@click.option("--behind-proxy", metavar="ADDRESSES", help="Proxies whose X-Forwarded-For is believed.")
def command(twins: tuple[Path, ...], **options: Any) -> None:
    """Serve TWINS: localization, tracks and events, search, over HTTP.

    Example: tiepoint serve my-garage --port 8080
    """
    from twin.service.openapi import require_extra

    require_extra()
    from twin.live.task import LiveOptions
    from twin.service.app import create_app
    from twin.service.logs import configure
    from twin.service.server import run
    from twin.service.settings import Limits, Settings

    names = [folder.resolve().name for folder in twins]
    more = {} if options["workers"] is None else {"workers": options["workers"]}
    settings = Settings(
        twins=twins,
        data=options["data"],
        host=options["host"],
        port=options["port"],
        database=options["database"],
        cameras={name: Path(file) for name, file in _named(options["cameras"], names, "--cameras").items()},
        groups=_groups(options["group"], "--group", ","),
        store=_named(options["store"], names, "--store"),
        videos={
            twin: {camera: where for camera, (where, *_) in cameras.items()}
            for twin, cameras in _groups(options["video"], "--video", None).items()
        },
        detector=options["detector"],
        stalls=options["stalls"],
        embedding_model=options["model"],
        crops=_folders(options["crops"], names, "--crops"),
        reports=_folders(options["reports"], names, "--reports"),
        limits=Limits.at_rate(options["rate"], stream_seconds=options["stream_seconds"]),
        live=LiveOptions(delay_s=options["delay"], clock_sigma_s=options["clock_sigma"]),
        **more,
    )
    configure()
    run(create_app(settings), settings, behind_proxy=options["behind_proxy"])


def _named(given: tuple[str, ...], names: list[str], option: str) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals and len(names) == 1:
            name, value = names[0], each
        elif not equals:
            raise click.UsageError(f"{option} needs TWIN= before it, since there is not one twin.")
        found[name] = value
    return found


def _folders(given: tuple[str, ...], names: list[str], option: str) -> dict[str, Path]:
    return {name: Path(folder).resolve() for name, folder in _named(given, names, option).items()}


def _groups(given: tuple[str, ...], option: str, comma: str | None) -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for each in given:
        twin, colon, rest = each.partition(":")
        name, equals, values = rest.partition("=")
        if not (twin and colon and name and equals and values):
            raise click.UsageError(f"'{each}' is not what {option} takes.")
        found.setdefault(twin, {})[name] = tuple(values.split(comma)) if comma else (values,)
    return found
