"""Where photos are by the landmarks of a map that is being updated: the localizer's answers, helped by poses.csv."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import PoseTable
from perception import read_image
from twin.hints import Hint
from twin.landmarks import Landmarks
from twin.localization import Localization
from twin.localizer import Choice, Localizer, reweighed
from twin.mapping.growing import Material
from twin.model import Twin
from twin.sequences import Steps, steps_of_poses, weights

Ids = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where a photo is, and by what: (M,) features of it, and the ids of the 3D points that they are of."""

    cam_from_site: pycolmap.Rigid3d
    features: Ids
    points: Ids


def locate_photos(
    twin: Twin,
    model: pycolmap.Reconstruction,
    landmarks: Landmarks,
    names: Sequence[str],
    lenses: Mapping[int, int],
    material: Material,
    hints: Mapping[str, Hint],
) -> tuple[dict[str, Found], dict[str, str]]:
    """Return where the named photos are, and of the others why they are refused.

    landmarks: those of ``model``, whose images hold their poses; lenses: the model's camera of each of the capture
    hints: about where photos are, by name; the steps between them are those of the capture's own priors
    """
    localizer = Localizer(
        landmarks,
        twin.vocabulary,
        [model.find_image_with_name(name).cam_from_world() for name in landmarks.views],
        down=twin.down,
        storeys=twin.storeys,
        written=twin.written,
        covariance_scale=float(twin.manifest.mapping.get("covariance_scale", 1.0)),
        options=twin.localizer_options,
    )
    camera_of = dict(zip(material.capture.names, material.capture.camera_of, strict=True))
    strongest = slice(int(twin.manifest.features["query_options"]["max_features"]))
    answers: dict[str, Localization] = {}
    choices: dict[str, Choice | None] = {}
    for done, name in enumerate(names):
        material.on_progress("new photos", done, len(names))
        answers[name], choices[name] = localizer.localize_with_choice(
            name,
            material.features[name].take(strongest),
            model.camera(lenses[camera_of[name]]),
            read_image(material.capture.folder / name, name=name),
            partial(hints[name].weights, plan=twin.plan) if name in hints else None,
        )
    material.on_progress("new photos", len(names), len(names))
    for walk, steps in _walks(material.capture.priors, names):
        for name, weight in zip(walk, weights([choices[name] for name in walk], steps), strict=True):
            choice = choices[name]
            if choice is not None:
                choices[name] = choice = reweighed(choice, weight)
                answers[name] = localizer.answer(name, choice)
    found = {}
    for name, choice in choices.items():
        if choice is not None and answers[name].status == "ok":
            agree = choice.best.estimate.inliers
            seen = np.asarray(landmarks.ids)[choice.best.landmark[agree]]
            found[name] = Found(
                cam_from_site=answers[name].cam_from_site, features=choice.best.feature[agree], points=seen
            )
    return found, {name: str(answers[name].reason) for name in names if name not in found}


def _walks(priors: PoseTable | None, names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Steps]]:
    """Yield the named photos of each sequence that have a pose, if two or more have, and the steps between them."""
    if priors is None:
        return
    turned = np.asarray(np.isfinite(priors.quats_xyzw).all(axis=1))
    for rows in priors.walks():
        walk = tuple(priors.images[row] for row in rows.tolist() if turned[row] and priors.images[row] in names)
        if len(walk) >= 2:
            yield walk, steps_of_poses(priors, walk, drift=1.0)
