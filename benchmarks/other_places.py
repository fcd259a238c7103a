"""Photos of another place must be refused: every pair of fountain, castle, a 7-Scenes kitchen and a rendered court.

Each place is mapped from its even-numbered photos at their true poses (the court from its walk). The odd-numbered
photos (the court's queries) of every place are then localized in every twin, the own one too, as a check that
refusing is not all it does.

Fountain and castle are one place: the fountain stands in the castle's court, and the last photos of it show the porch
that castle's photos show. Answers across these two count apart. Each ties the two truths together, by the answer in
one and the true pose in the other; if they are right, all give the same tie. Usage:

    python -m benchmarks.other_places [--data DIR] [--out FILE]
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from benchmarks.known_poses import localize, map_known
from benchmarks.protocol import (
    Photos,
    describe_machine,
    load_sevenscenes,
    load_strecha,
    parse_arguments,
    print_table,
    run,
    write_results,
)
from geometry import camera_from_params, pose_error
from scenes import View, court, query_views, walk_views, write_capture
from twin import Twin

COURT_SEED, WALK, QUERIES = 7, 40, 20
SAME_PLACE = ("castle-P30", "fountain-P11")


def render_court(folder: Path) -> tuple[Photos, Photos]:
    """Render the court and return its walk and its queries, with exact poses."""
    rng = np.random.default_rng(COURT_SEED)
    camera = camera_from_params("PINHOLE", 640, 480, [520.0, 520.0, 320.0, 240.0])
    place = court(seed=0)
    walk, queries = walk_views(place, camera, rng, count=WALK), query_views(place, camera, rng, count=QUERIES)
    write_capture(folder, place, walk, queries, rng)
    return _photos(folder / "walk", walk), _photos(folder / "queries", queries)


def load_places(data: Path, scratch: Path) -> dict[str, tuple[Photos, Photos]]:
    """Return of every place the photos to map and those to ask about."""
    real = [load_strecha(data / "strecha" / name) for name in ("fountain-P11", "castle-P30")]
    real.append(load_sevenscenes(data / "sevenscenes"))
    return {photos.place: (photos.half(0), photos.half(1)) for photos in real} | {"court": render_court(scratch)}


def ask(twin: Twin, queries: Photos) -> dict[str, Any]:
    """Return how many photos were localized, and for each the answer with its support and the tie it gives."""
    answers, _ = localize(twin, queries, repeats=1)
    true_poses = dict(zip(queries.names, queries.cams_from_site, strict=True))
    return {
        "ties": {a.image: a.cam_from_site.inverse() * true_poses[a.image] for a in answers if a.status == "ok"},
        "queries": len(answers),
        "localized": sum(answer.status == "ok" for answer in answers),
        "per_query": [
            {"image": a.image, "status": a.status, "reason": a.reason, "inliers": a.inliers, "confidence": a.confidence}
            for a in answers
        ],
    }


def main() -> None:
    """Ask every twin about every place, print the counts and write the result as JSON."""
    arguments = parse_arguments(__doc__, "other_places")
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as scratch:
        places = load_places(arguments.data, Path(scratch) / "capture")
        twins = {name: map_known(mapped, Path(scratch) / name) for name, (mapped, _) in places.items()}
        asked = {name: {of: ask(twin, places[of][1]) for of in places} for name, twin in twins.items()}
    overlap = tie_agreement(*(asked[a][b].pop("ties") for a, b in (SAME_PLACE, SAME_PLACE[::-1])))
    for row in asked.values():
        for found in row.values():
            found.pop("ties", None)
    strangers = [
        found
        for name, row in asked.items()
        for of, found in row.items()
        if not {name, of} <= {*SAME_PLACE} and of != name
    ]
    wrong, total = (sum(found[key] for found in strangers) for key in ("localized", "queries"))
    print_table(
        ["localized in twin of", *(f"photos of {of}" for of in places)],
        [
            [name, *(f"{found['localized']} of {found['queries']}" for found in row.values())]
            for name, row in asked.items()
        ],
    )
    print(f"{total - wrong} of {total} photos of another place refused")
    print(f"answers across fountain and castle, and how far their ties are from the first: {overlap}")
    content = {"strangers": total, "strangers_localized": wrong, "overlap": overlap, "twins": asked}
    write_results(arguments.out, content, machine)


def tie_agreement(
    first: dict[str, pycolmap.Rigid3d], second: dict[str, pycolmap.Rigid3d]
) -> dict[str, dict[str, float]]:
    """Return by photo how far its tie of two places is from that of the first photo, where that photo stood.

    first, second: the ties a_from_b of photos of b asked in a, and b_from_a of photos of a asked in b.
    """
    ties = first | {name: tie.inverse() for name, tie in second.items()}
    if not ties:
        return {}
    reference = next(iter(ties.values()))
    differences = {name: pose_error(tie.inverse(), reference.inverse()) for name, tie in ties.items()}
    return {name: {"metres": metres, "degrees": degrees} for name, (metres, degrees) in differences.items()}


def _photos(folder: Path, views: Sequence[View]) -> Photos:
    return Photos(
        place="court",
        files=tuple(folder / view.image for view in views),
        camera=views[0].camera,
        cams_from_site=tuple(view.cam_from_site for view in views),
    )


if __name__ == "__main__":
    run(main)
