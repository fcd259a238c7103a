"""tiepoint search: where else was this vehicle?"""

from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class Numbers(click.ParamType):
    """So many numbers, separated by commas."""

    name = "numbers"

    def __init__(self, count: int) -> None:
        self._count = count

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != self._count:
            self.fail(f"'{value}' is not {self._count} numbers separated by commas", param, ctx)
        return numbers


@click.command("search")
@click.argument("twin", required=False, type=FOLDER)
@click.option("--id", "stored", help="A stored sighting as the query.")
@click.option("--image", type=FILE, help="A crop as the query, with --model.")
@click.option("--embedding", type=FILE, help="A vector as the query: JSON list or .npy.")
@click.option("--model", type=FILE, help="The ONNX network that the collection was embedded with.")
@click.option("--embedding-name", help="Name and version of what made --embedding.")
@click.option("--at", type=Numbers(4), metavar="T,X,Y,Z", help="When and where the query was seen, for re-ranking.")
@click.option("--near", type=Numbers(3), metavar="X,Y,R", help="Only answers within R metres of X, Y.")
@click.option("--level", help="Only answers on this level.")
@click.option("--facility", help="Only answers of this facility.")
@click.option("--class", "kind", help="Only answers of this class.")
@click.option("--colour", help="Only answers of this colour.")
@click.option("--since", type=float, help="Only answers from this time on, epoch seconds.")
@click.option("--until", type=float, help="Only answers up to this time.")
@click.option(
    "--top", default=10, show_default=True, type=click.IntRange(1, 1000), metavar="K", help="How many answers."
)
@click.option("--no-rerank", is_flag=True, help="By similarity alone.")
@click.option("--store", "address", envvar="TIEPOINT_STORE", help="Folder, milvus+http://... or opensearch+https://...")
@click.option("--collection", default="sightings", show_default=True, help="Name or alias of the collection.")
@click.option("--out", type=PATH, help="results.jsonl to write.")
@click.option("--report", type=PATH, help="A page to look at: query, answers, and why each moved.")
@click.option("--crops", type=FOLDER, help="Folder of stored crops, for the report.")
@click.option("--json", "as_json", is_flag=True, help="Print the answers for a program to read.")
def command(**options: Any) -> None:
    """Find other sightings of the query's vehicle, re-ranked by what is possible in the building of a TWIN.

    Example: tiepoint search my-garage --id cam3-v007-0 --since 1750000000 --top 20 --report found.html
    """
    from retrieval.stores.opening import open_store
    from twin.sighting_index import store_address
    from twin.sighting_search import search_sightings

    twin, given = options["twin"], [options[name] for name in ("stored", "image", "embedding")]
    if sum(each is not None for each in given) != 1:
        raise click.UsageError("Give one query: --id, --image or --embedding.")
    if options["image"] is not None and options["model"] is None:
        raise click.UsageError("--image needs --model, the network that the collection was embedded with.")
    if options["address"] is None and twin is None:
        raise click.UsageError("Give a TWIN or --store.")
    store = open_store(options["address"] or store_address(twin))
    try:
        collection = store.open(options["collection"])
        query = _query(collection, options)
        knows_where = options["stored"] is not None or options["at"] is not None
        answer = search_sightings(
            collection,
            query,
            None if options["no_rerank"] or not knows_where else twin,
            top=options["top"],
            filter=_filter(options),
        )
        if options["report"] is not None:
            from twin.search_report import write_search_report

            picture = options["image"] or _own_crop(collection, options)
            write_search_report(options["report"], answer, query, crops=options["crops"], picture=picture)
    finally:
        store.close()
    _tell(answer, options)


def _query(collection: Any, options: dict[str, Any]) -> Any:
    from twin.sighting_search import query_of_stored, query_of_vector

    if options["stored"] is not None:
        return query_of_stored(collection, options["stored"])
    if options["image"] is not None:
        from perception import read_image
        from twin.onnx_embedding import OnnxEmbedding

        network = OnnxEmbedding(options["model"])
        collection.schema.require_embedding(network.name)
        vector, name = network.embed(read_image(options["image"]).pixels), options["image"].name
    else:
        if options["embedding_name"] is not None:
            collection.schema.require_embedding(options["embedding_name"])
        vector, name = _vector(options["embedding"]), options["embedding"].name
    at = options["at"]
    return query_of_vector(vector, name, at[0] if at else None, at[1:] if at else None)


def _own_crop(collection: Any, options: dict[str, Any]) -> Path | None:
    """Return the stored crop of the query, where one was kept."""
    from retrieval.stores.filters import IdIn

    if options["stored"] is None or options["crops"] is None:
        return None
    (meta,) = collection.scan(IdIn((options["stored"],)), size=1).rows.meta
    name = meta.get("crop")
    return options["crops"] / name if isinstance(name, str) and Path(name).name == name else None


def _vector(path: Path) -> Any:
    import json

    import numpy as np

    from geometry.errors import InputError

    try:
        content = np.load(path, allow_pickle=False) if path.suffix == ".npy" else json.loads(path.read_bytes())
        vector = np.asarray(content, dtype=np.float32)
    except (ValueError, TypeError, OSError) as error:
        raise InputError(f"can't read a vector ({error})", where=str(path), remedy="A JSON list or .npy.") from error
    if vector.ndim != 1 or not len(vector):
        raise InputError(f"expected one vector, got {vector.shape}", where=str(path))
    return vector


def _filter(options: dict[str, Any]) -> Any:
    from retrieval.stores.filters import And, Eq, Range, WithinRadius

    parts: list[Any] = [Eq(n, options[n]) for n in ("level", "facility", "kind", "colour") if options[n] is not None]
    if options["since"] is not None or options["until"] is not None:
        parts.append(Range("time", options["since"], options["until"]))
    if options["near"] is not None:
        parts.append(WithinRadius(*options["near"]))
    return And(tuple(parts)) if parts else None


def _tell(answer: Any, options: dict[str, Any]) -> None:
    from retrieval.sighting_records import write_results

    record = answer.record(options["top"])
    if options["out"] is not None:
        write_results(options["out"], [record])
    if options["as_json"]:
        click.echo(record.model_dump_json(by_alias=True, exclude_defaults=True))
        return
    if not record.results:
        click.echo("nothing found")
    for rank, hit in enumerate(record.results, start=1):
        probability = "" if hit.probability is None else f"  p {hit.probability:.2f}"
        click.echo(f"{rank:3} {hit.id}  score {hit.score:.3f}{probability}  {hit.why}")
    if answer.partial:
        click.echo("part of the store did not answer: better ones may be missing", err=True)
