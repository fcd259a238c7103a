"""How the tracker takes the world to be."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from geometry.errors import InputError
from perception.detection.habits import DetectorHabits


@dataclass(frozen=True, kw_only=True)
class MotionOptions:
    """How objects of a family move.

    acceleration: root of the power density of white acceleration, m/s per root second
    sudden: the same for the few steps in which an object starts, stops or turns at once
    speed: standard deviation of a new object's velocity along each axis, m/s
    turn: standard deviation of the heading's change, radians per root metre moved (a vehicle can't turn on the spot; by
        a quarter turn within 4 m at the tightest)
    """

    acceleration: float
    speed: float
    sudden: float
    turn: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TrackerOptions:
    """Options of ``GroundTracker``.

    person, vehicle: how they move
    box_px, box_share: standard deviation of a box's side: pixels, and share of the box's size
    foot_px, foot_share: the same of a foot, where the detector gives one
    persist_s: how long the error of a side or foot lasts, the integral of its autocorrelation over positive lags: boxes
        that follow each other sooner tell little more than one
    high_score: detections from here on found tracks; those below, down to ``low_score``, only continue them
    false_rate: false boxes a frame and camera; detected: share of visible objects that is detected
    score_slope, score_middle, objects: a detection of score s is right with log-odds slope * (logit(s) - middle) in
        pictures of so many objects; without a slope (0) all are as likely, by ``false_rate``
    new_odds: log-odds by which a track has to explain a box better than chance, else the box founds a new one
    new_per_m2: new objects a square metre and instant, against which an object has to be a known one
    confirm_odds: log-odds of being an object, from all its detections, from which a track counts; confirm_hits:
    detections
    lost_after_s: a track unseen for longer has ended; a new one may be linked to it
    tentative_frames, tentative_s: a track that is not confirmed ends when it is unseen for so many frame intervals
        and for so long
    same_instant_s: frames that are exposed within this are one instant
    visible_boxes: a box ends where something nearer hides the object; False for detectors that guess the whole of it
    """

    person: MotionOptions = MotionOptions(acceleration=0.6, speed=1.0, sudden=3.0)
    vehicle: MotionOptions = MotionOptions(acceleration=1.0, speed=3.0, sudden=3.0, turn=0.5)
    box_px: float = 1.5
    box_share: float = 0.02
    foot_px: float = 0.5
    foot_share: float = 0.02
    persist_s: float = 0.0
    high_score: float = 0.5
    low_score: float = 0.1
    false_rate: float = 0.5
    detected: float = 0.85
    score_slope: float = 0.0
    score_middle: float = 0.0
    objects: float = 1.0
    new_odds: float = 0.0
    new_per_m2: float = 1e-3
    confirm_odds: float = 8.0
    confirm_hits: int = 3
    lost_after_s: float = 4.0
    tentative_frames: float = 2.5
    tentative_s: float = 2.0
    same_instant_s: float = 0.002
    visible_boxes: bool = True

    @classmethod
    def of(cls, habits: DetectorHabits | None, **others: Any) -> Self:
        """Return the options for a detector whose habits were measured, None for the usual ones."""
        measured = {} if habits is None else asdict(habits)
        return cls(**(measured | others))

    def __post_init__(self) -> None:
        positive = (self.box_px, self.false_rate, self.lost_after_s, self.tentative_frames, self.objects)
        if (
            not all(value > 0 for value in positive)
            or min(self.box_share, self.foot_share, self.persist_s, self.same_instant_s) < 0
        ):
            raise InputError(f"tracker options out of range: {self}")
        if not (0 <= self.low_score <= self.high_score <= 1 and 0 < self.detected < 1):
            raise InputError(f"scores and shares lie between 0 and 1, low_score below high_score: {self}")
