"""A page on one search: the query, its answers, how sure each is, and why it moved."""

import base64
from pathlib import Path
from typing import Any

import jinja2

from geometry import write_atomic
from retrieval.sightings import Sightings
from twin.sighting_search import SearchAnswer

TEMPLATE = Path(__file__).with_name("search_report.html")


def write_search_report(
    path: Path, answer: SearchAnswer, query: Sightings, *, crops: Path | None = None, picture: Path | None = None
) -> None:
    """Write a self-contained page, atomically.

    crops: the folder that ``meta.crop`` of answers is a file in; picture: of the query
    """
    answers = [_answer(answer, i, query, crops) for i in range(len(answer.rows))]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text("utf-8")).render(
        query=answer.query,
        picture=_embedded(picture),
        facts=f"Seen by {query.camera[0]}. " if query.camera[0] else "",
        summary=_summary(answer),
        partial=answer.partial,
        answers=answers,
    )
    write_atomic(path, page.encode())


def _summary(answer: SearchAnswer) -> str:
    count = len(answer.rows)
    if not count:
        return "Nothing was found."
    if answer.probability[0] is None:
        return f"{count} answers by similarity alone: the building was not asked."
    moved = sum(before != now for now, before in enumerate(answer.before))
    alike = sum(answer.together)
    return (
        f"{count} answers, of which {moved} moved by what is possible in the building. "
        f"{alike} can be the same vehicle together and are marked."
    )


def _answer(answer: SearchAnswer, i: int, query: Sightings, crops: Path | None) -> dict[str, Any]:
    columns = answer.rows.columns
    before = answer.before[i]
    moved = "stays" if before == i else f"{'up' if before > i else 'down'} from {before + 1}"
    seconds = columns["time"][i] - float(query.first[0])
    where = ", ".join(str(columns[name][i]) for name in ("facility", "level", "zone", "camera") if columns[name][i])
    when = f"{abs(seconds):.0f} s {'after' if seconds >= 0 else 'before'} the query"
    return {
        "id": answer.rows.ids[i],
        "facts": f"{where}, {when}" if answer.probability[i] is not None else where,
        "probability": answer.probability[i],
        "score": answer.scores[i],
        "together": answer.together[i],
        "moved": moved,
        "why": answer.why[i],
        "picture": _picture(answer.rows.meta[i].get("crop"), crops),
    }


def _picture(name: Any, crops: Path | None) -> str | None:
    if crops is None or not isinstance(name, str) or Path(name).name != name:
        return None
    return _embedded(crops / name)


def _embedded(file: Path | None) -> str | None:
    """Return a JPEG or PNG as an address that holds it."""
    if file is None or not file.is_file():
        return None
    kind = "png" if file.suffix.lower() == ".png" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
