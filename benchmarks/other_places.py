"""Photos of another place must be refused: every pair of fountain, castle, a 7-Scenes kitchen and a rendered room.

Each place is mapped from its even-numbered photos at their true poses (the room from its walk). The odd-numbered
photos (the room's queries) of every place are then localized in every twin, the own one too, as a check that
refusing is not all it does.

Fountain and castle are one place: the fountain stands in the castle's court, and the last photos of it show the porch
that castle's photos show. Answers across these two count apart. Each ties the two truths together, by the answer in
one and the true pose in the other; if they are right, all give the same tie. Usage:

    python -m benchmarks.other_places [--data DIR] [--out FILE]
"""

import tempfile
from pathlib import Path
from typing import Any

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
from geometry import pose_error, pose_from_position, read_true_poses
from scenes import CaptureOptions, render_scene
from scenes.library import facility
from twin import Twin

ROOM_SEED, WALK, QUERIES = 7, 40, 20
SAME_PLACE = ("castle-P30", "fountain-P11")


def render_room(folder: Path) -> tuple[Photos, Photos]:
    """Render the room and return its walk and its queries, with exact poses."""
    options = CaptureOptions(captures=("walk", "queries"), queries=QUERIES, walk_frames=WALK, seed=ROOM_SEED)
    render_scene(facility("room"), folder, options)
    return _photos(folder, "walk", options), _photos(folder, "queries", options)


def load_places(data: Path, scratch: Path) -> dict[str, tuple[Photos, Photos]]:
    """Return of every place the photos to map and those to ask about."""
    real = [load_strecha(data / "strecha" / name) for name in ("fountain-P11", "castle-P30")]
    real.append(load_sevenscenes(data / "sevenscenes"))
    return {photos.place: (photos.half(0), photos.half(1)) for photos in real} | {"room": render_room(scratch)}


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
    """Return by photo how far its tie of two places is from that of the first photo, at the second place's origin.

    first, second: the ties a_from_b of photos of b asked in a, and b_from_a of photos of a asked in b.
    """
    ties = first | {name: tie.inverse() for name, tie in second.items()}
    if not ties:
        return {}
    reference = next(iter(ties.values()))
    differences = {name: pose_error(tie.inverse(), reference.inverse()) for name, tie in ties.items()}
    return {name: {"metres": metres, "degrees": degrees} for name, (metres, degrees) in differences.items()}


def _photos(folder: Path, kind: str, options: CaptureOptions) -> Photos:
    truth = read_true_poses(folder / "truth" / f"{kind}.csv")
    return Photos(
        place="room",
        files=tuple(folder / kind / image for image in truth.images),
        camera=options.phone,
        cams_from_site=tuple(
            pose_from_position(position, quat) for position, quat in zip(truth.positions, truth.quats_xyzw, strict=True)
        ),
    )


if __name__ == "__main__":
    run(main)
