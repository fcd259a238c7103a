"""Finding images by content: global descriptors, place search and retrieval metrics."""

from retrieval.descriptors import aggregate
from retrieval.landmark_votes import LandmarkVotes, Votes, angle_between
from retrieval.metrics import mean_average_precision, recall_at
from retrieval.places import EXACT_UP_TO, PlaceIndex, exact_search
from retrieval.vocabulary import Vocabulary, train_vocabulary

__all__ = [
    "EXACT_UP_TO",
    "LandmarkVotes",
    "PlaceIndex",
    "Vocabulary",
    "Votes",
    "aggregate",
    "angle_between",
    "exact_search",
    "mean_average_precision",
    "recall_at",
    "train_vocabulary",
]
