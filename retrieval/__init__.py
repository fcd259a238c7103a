"""Finding images by content: global descriptors, place search, stores of vectors, and re-ranked search of sightings."""

from retrieval.consistency import Site, TransitOptions
from retrieval.descriptors import aggregate
from retrieval.landmark_votes import LandmarkVotes, Votes, angle_between
from retrieval.metrics import mean_average_precision, recall_at
from retrieval.place_collections import PlaceGuess, guess_places, index_places, place_schema
from retrieval.places import EXACT_UP_TO, PlaceIndex, exact_search
from retrieval.reduction import Reduction
from retrieval.rerank import Appearance, Reranked, RerankOptions, rerank
from retrieval.sightings import Sightings
from retrieval.stores.opening import open_store
from retrieval.stores.rows import Rows, checked_rows
from retrieval.stores.schema import Field, Schema, sighting_schema
from retrieval.stores.snapshots import copy, restore, snapshot
from retrieval.stores.store import Capabilities, Collection, Hits, SearchOptions, Store, StoreError
from retrieval.vocabulary import Vocabulary, train_vocabulary

__all__ = [
    "EXACT_UP_TO",
    "Appearance",
    "Capabilities",
    "Collection",
    "Field",
    "Hits",
    "LandmarkVotes",
    "PlaceGuess",
    "PlaceIndex",
    "Reduction",
    "RerankOptions",
    "Reranked",
    "Rows",
    "Schema",
    "SearchOptions",
    "Sightings",
    "Site",
    "Store",
    "StoreError",
    "TransitOptions",
    "Vocabulary",
    "Votes",
    "aggregate",
    "angle_between",
    "checked_rows",
    "copy",
    "exact_search",
    "guess_places",
    "index_places",
    "mean_average_precision",
    "open_store",
    "place_schema",
    "recall_at",
    "rerank",
    "restore",
    "sighting_schema",
    "snapshot",
    "train_vocabulary",
]
