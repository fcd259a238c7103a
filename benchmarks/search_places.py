"""Which place is this photo of? All photo sets of real places in one collection, by the seam that sightings use.

Every second photo of a set is indexed, the others ask; a photo is right if the first answer is of its place. Sets whose
photos don't overlap, or are of one fixed camera, are distractors only. Descriptors are SIFT, aggregated (VLAD) over
words trained on the indexed photos; beside it the same descriptors by numpy, and raw: no words, votes of matches.

    python -m benchmarks.search_places [--data DIR]
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol import ROOT, describe_machine, print_table, write_results
from perception.features import make_extractor
from perception.images import read_image
from retrieval import aggregate, exact_search, guess_places, index_places, place_schema, train_vocabulary
from retrieval.stores.embedded import EmbeddedStore

PLACES = {
    "castle": ("strecha/castle-P30", "**/*.jpg"),
    "fountain": ("strecha/fountain-P11", "**/*.jpg"),
    "kitchen": ("sevenscenes", "*.color.jpg"),
    "square (multiviewx)": ("multiviewx", "**/*.jpg"),
}
DISTRACTORS = {
    "parking lot": ("pklot30", "**/*.jpg"),
    "streets (kitti)": ("kitti_tracking", "**/*.jpg"),
    "school (meva)": ("meva", "**/*.jpg"),
    "boards": ("chessboard", "**/*.jpg"),
    "tags": ("apriltag", "**/*.jpg"),
}
FEATURES, WORDS, LONGEST_PX = 1000, 64, 800
MAX_PHOTOS = 40
RATIO = 0.8


def main() -> None:
    """Judge the place of each photo by three ways and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "search_places.json")
    arguments = parser.parse_args()
    machine = describe_machine()
    indexed, asked, described = [], [], {}
    for place, files in _photos(arguments.data, PLACES).items():
        indexed += [(place, file) for file in files[0::2]]
        asked += [(place, file) for file in files[1::2]]
    for place, files in _photos(arguments.data, DISTRACTORS).items():
        indexed += [(place, file) for file in files]
    extractor = make_extractor("sift", max_features=FEATURES)
    for _, file in indexed + asked:
        described[file] = extractor.extract(_small(read_image(file).gray)).descriptors.astype(np.float32)
    words = train_vocabulary(np.concatenate([described[f] for _, f in indexed]), WORDS, np.random.default_rng(0))
    vectors = {file: aggregate(words, descriptors) for file, descriptors in described.items()}
    answers = {
        "store": by_store(indexed, asked, vectors),
        "numpy": by_numpy(indexed, asked, vectors),
        "raw descriptors": by_votes(indexed, asked, described),
    }
    figures: dict[str, Any] = {"indexed": len(indexed), "queries": len(asked), "recall_at_1": {}}
    for name, found in answers.items():
        right = [place == answer for (place, _), answer in zip(asked, found, strict=True)]
        figures["recall_at_1"][name] = float(np.mean(right))
        figures[name] = {
            place: float(np.mean([r for r, (p, _) in zip(right, asked, strict=True) if p == place]))
            for place in dict.fromkeys(place for place, _ in asked)
        }
    places = list(figures["store"])
    rows = [[place, *(figures[name][place] for name in answers)] for place in places]
    print_table(["place", *answers], [*rows, ["all", *figures["recall_at_1"].values()]])
    write_results(arguments.out, figures, machine)


def by_store(indexed: list[Any], asked: list[Any], vectors: dict[Path, NDArray[np.float32]]) -> list[str]:
    """Return the place of the first answer of the embedded store to each photo."""
    dimension = len(next(iter(vectors.values())))
    with TemporaryDirectory() as folder:
        store = EmbeddedStore(folder)
        collection = store.create(place_schema("places", dimension, "sift-vlad/1"))
        for place in dict.fromkeys(place for place, _ in indexed):
            files = [file for each, file in indexed if each == place]
            names = [str(number) for number in range(len(files))]
            stacked = np.stack([vectors[file] for file in files])
            index_places(collection, place, names, stacked, np.zeros((len(files), 3)))
        guesses = guess_places(collection, np.stack([vectors[file] for _, file in asked]), k=1)
        store.close()
    return [best[0].facility for best in guesses]


def by_numpy(indexed: list[Any], asked: list[Any], vectors: dict[Path, NDArray[np.float32]]) -> list[str]:
    """Return the place of the most alike photo, without a store."""
    stacked = np.stack([vectors[file] for _, file in indexed])
    ids, _ = exact_search(stacked, np.stack([vectors[file] for _, file in asked]), 1)
    return [indexed[i][0] for i in ids[:, 0].tolist()]


def by_votes(indexed: list[Any], asked: list[Any], described: dict[Path, NDArray[np.float32]]) -> list[str]:
    """Return the place of the photo with the most descriptors that pass the ratio test, all pairs compared."""
    found = []
    for _, file in asked:
        votes = []
        for _, other in indexed:
            squared, _ = faiss.knn(described[file], described[other], 2)
            votes.append(int((squared[:, 0] < RATIO**2 * squared[:, 1]).sum()))
        found.append(indexed[int(np.argmax(votes))][0])
    return found


def _photos(data: Path, sets: dict[str, tuple[str, str]]) -> dict[str, list[Path]]:
    found = {}
    for place, (folder, pattern) in sets.items():
        files = sorted(f for f in (data / folder).glob(pattern) if f.suffix in (".jpg", ".png"))
        if files:
            chosen = np.linspace(0, len(files) - 1, min(len(files), MAX_PHOTOS)).astype(int)
            found[place] = [files[i] for i in chosen]
    return found


def _small(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = max(1, -(-max(gray.shape) // LONGEST_PX))
    return np.ascontiguousarray(gray[::step, ::step])


if __name__ == "__main__":
    main()
