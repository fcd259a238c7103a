"""tiepoint index: sightings into a store to search, to other stores, and out again when their time is over."""

from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@click.command("index")
@click.argument("twin", required=False, type=FOLDER)
@click.option("--sightings", type=FILE, help="sightings.jsonl to write into the collection.")
@click.option("--store", "address", envvar="TIEPOINT_STORE", help="Folder, milvus+http://... or opensearch+https://...")
@click.option("--collection", default="sightings", show_default=True, help="Name or alias of the collection.")
@click.option("--embedding-name", help="Name and version of what made the file's embeddings.")
@click.option("--model", type=FILE, help="ONNX network that embeds the file's images.")
@click.option("--facility", help="Of sightings that name none; the twin's name by default.")
@click.option("--crops", type=PATH, help="Folder to keep crops in, blurred.")
@click.option("--blur", default=12, show_default=True, metavar="N", help="Blocks left along a crop's longer side.")
@click.option("--no-blur", is_flag=True, help="Keep crops as they are.")
@click.option("--copy", "target", metavar="ADDRESS", help="Copy the collection into another store instead.")
@click.option("--snapshot", type=PATH, help="Write the collection to this new folder instead.")
@click.option("--restore", type=FOLDER, help="Make the collection from a snapshot instead.")
@click.option("--alias", help="Let this name stand for the collection from now on.")
@click.option("--keep", metavar="RULES", help="Delete what is older, as 30d or 30d,person=7d, and prove it.")
@click.option("--now", type=float, help="With --keep: the present, epoch seconds; the clock's by default.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done for a program to read.")
def command(
    twin: Path | None,
    sightings: Path | None,
    address: str | None,
    collection: str,
    embedding_name: str | None,
    model: Path | None,
    facility: str | None,
    crops: Path | None,
    blur: int,
    no_blur: bool,
    target: str | None,
    snapshot: Path | None,
    restore: Path | None,
    alias: str | None,
    keep: str | None,
    now: float | None,
    as_json: bool,
) -> None:
    """Keep sightings of a TWIN where they can be searched: in a folder beside it, or on a server.

    Example: tiepoint index my-garage --sightings sightings.jsonl --embedding-name reid/1

    Example: tiepoint index --store my-garage.search --copy opensearch+https://search.example:9200
    """
    from retrieval.stores.opening import open_store
    from twin.cli import echo_json
    from twin.sighting_index import store_address

    tasks = [sightings, target, snapshot, restore, keep, alias]
    if not any(task is not None for task in tasks):
        raise click.UsageError("Say what to do: --sightings, --copy, --snapshot, --restore, --keep or --alias.")
    if sum(task is not None for task in tasks[:5]) > 1:
        raise click.UsageError("One thing at a time, of --sightings, --copy, --snapshot, --restore and --keep.")
    if address is None and twin is None:
        raise click.UsageError("Give a TWIN or --store.")
    rules = _rules(keep) if keep is not None else None
    store = open_store(address or store_address(twin or Path()))
    try:
        done: dict[str, Any] = {}
        if sightings is not None:
            from twin.crops import coarse

            named = facility or (twin.resolve().name if twin is not None else None)
            hook = None if no_blur else coarse(blur)
            done = _index(store, sightings, collection, embedding_name, model, named, crops, hook)
        elif target is not None:
            done = _copy(store, collection, target)
        elif snapshot is not None or restore is not None:
            done = _snapshot(store, collection, snapshot, restore)
        elif rules is not None:
            done = _keep(store, collection, rules, now, crops)
        if alias is not None:
            store.alias(alias, collection)
            done["alias"] = alias
    finally:
        store.close()
    if as_json:
        echo_json(done)
    else:
        for name, value in done.items():
            click.echo(f"{name}: {value}")


def _index(
    store: Any,
    path: Path,
    name: str,
    embedding: str | None,
    model: Path | None,
    facility: str | None,
    crops: Any,
    blur: Any,
) -> dict[str, Any]:
    from functools import partial

    from twin.commands.progress import StageBars
    from twin.onnx_embedding import OnnxEmbedding
    from twin.sighting_index import index_sightings

    bars = StageBars()
    try:
        made = index_sightings(
            store,
            path,
            name=name,
            embedding=embedding,
            network=OnnxEmbedding(model) if model is not None else None,
            facility=facility,
            crops=crops,
            blur=blur,
            on_progress=partial(bars, "indexing"),
        )
    finally:
        bars.close()
    state = made.statistics()
    return {"collection": made.schema.name, "embedding": made.schema.embedding, "rows": state.rows, **state.details}


def _copy(store: Any, name: str, address: str) -> dict[str, Any]:
    from functools import partial

    from retrieval.stores.opening import open_store
    from retrieval.stores.snapshots import copy
    from twin.commands.progress import StageBars

    source, bars, other = store.open(name), StageBars(), open_store(address)
    try:
        target = other.create(source.schema)
        copied = copy(source, target, on_progress=partial(bars, "copying"))
        return {"copied": copied, "rows in the target": target.count()}
    finally:
        bars.close()
        other.close()


def _snapshot(store: Any, name: str, to: Path | None, source: Path | None) -> dict[str, Any]:
    from retrieval.stores.snapshots import restore, snapshot

    if to is not None:
        return {"snapshot": str(to), "rows": snapshot(store.open(name), to)}
    assert source is not None
    return {"collection": name, "rows": restore(source, store, name).count()}


def _keep(store: Any, name: str, rules: Any, now: float | None, crops: Path | None) -> dict[str, Any]:
    import time
    from dataclasses import asdict

    from retrieval.retention import expire

    proof = expire(store.open(name), rules, time.time() if now is None else now, crops)
    return asdict(proof)


def _rules(text: str) -> Any:
    """Return the rules of a text such as ``30d,person=7d``; without a plain time, other classes are kept for ever."""
    from retrieval.retention import Retention

    default, kinds = None, {}
    for part in text.split(","):
        kind, equals, span = part.rpartition("=")
        unit = SECONDS.get(span[-1:])
        try:
            seconds = float(span[:-1]) * (unit or float("nan"))
        except ValueError:
            seconds = float("nan")
        if not seconds >= 0:
            raise click.UsageError(f"'{part}' is no rule. Write 30d, 12h or person=7d.")
        if equals:
            kinds[kind] = seconds
        else:
            default = seconds
    return Retention(default=default, by_kind=kinds)
