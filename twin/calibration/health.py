"""Is a camera still as it was? From its running frames: moved, covered, dark, defocused, dirty, frozen, clock jumped.

A frame alone accuses nobody: a verdict takes agreeing frames, so that a car before the lens or a gust is none. What
changes in the scene, cars, light and season, changes patches here and there, never all of them together as a move does.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from geometry import DegenerateError
from perception.camera_condition import Condition, condition, is_frozen
from perception.images import Pixels
from twin.calibration.watch import Motion, Watch, motion

Array = NDArray[np.float64]

Kind = Literal["moved", "covered", "dark", "defocused", "dirty", "frozen", "clock"]

WINDOW = 3
"""Frames that are looked at together."""
NEEDED = 2
"""Of them that must agree."""
LASTING = ("dirty",)
LASTING_FRAMES = 3
MIN_MOVED_PX = 0.45
"""Smaller motions of the picture are no news, whatever their significance: wind and heat do that."""
MIN_MOVED_DEG, MIN_MOVED_M = 0.2, 0.012
SIGNIFICANT = float(stats.chi2.ppf(1 - 1e-6, 6))
MIN_AGREE, MIN_PATCHES = 0.5, 20
SAME_DEG, SAME_M, SAME_SIGMAS = 0.3, 0.05, 4.0
CLOCK_JUMP_S = 2.0


@dataclass(frozen=True, kw_only=True)
class FrameHealth:
    """What one frame says. ``motion`` is None where too little of the background was found again to tell."""

    time: float
    condition: Condition
    motion: Motion | None
    suspects_move: bool
    frozen: bool


@dataclass(frozen=True, kw_only=True)
class HealthEvent:
    """A verdict: since when, as what, in words, and the motion where the camera moved."""

    kind: Kind
    since: float
    time: float
    what: str
    motion: Motion | None = None


@dataclass
class HealthMonitor:
    """Watches one camera. Feed it frames in order; it tells each trouble once, until that is over."""

    watch: Watch
    frames: deque[FrameHealth] = field(default_factory=lambda: deque(maxlen=max(WINDOW, LASTING_FRAMES)))
    open: set[Kind] = field(default_factory=set)
    _last: Pixels | None = None
    _delay: float | None = None

    def see(self, frame: Pixels, time: float, received: float | None = None) -> list[HealthEvent]:
        """Take an RGB frame (H, W, 3), exposed at ``time`` by the camera's clock and received at ``received``."""
        gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
        frozen = self._last is not None and is_frozen(self._last, gray)
        events = self._clock(time, received)
        self._last = gray
        self.frames.append(judge(self.watch, frame, gray, time, frozen))
        found: dict[Kind, HealthEvent | None] = {
            "moved": self._moved(),
            "frozen": self._repeated("frozen", lambda each: each.frozen, "the same picture comes again and again"),
        }
        for kind in ("covered", "dark", "defocused", "dirty"):
            found[kind] = self._faulty(kind)
        for kind, event in found.items():
            if event is None:
                self.open.discard(kind)
            elif kind not in self.open:
                self.open.add(kind)
                events.append(event)
        return events

    def _recent(self, count: int) -> list[FrameHealth]:
        return list(self.frames)[-count:]

    def _moved(self) -> HealthEvent | None:
        recent = [each for each in self._recent(WINDOW) if each.suspects_move and each.motion is not None]
        for first in recent:
            alike = [each for each in recent if _same(first.motion, each.motion)]
            if len(alike) >= NEEDED:
                latest = alike[-1]
                assert latest.motion is not None
                what = (
                    f"moved by {latest.motion.turned_deg:.2f} deg and {latest.motion.shifted_m * 100:.1f} cm, "
                    f"{latest.motion.found} of {latest.motion.tried} patches found, {latest.motion.agree:.0%} agree"
                )
                return HealthEvent(kind="moved", since=alike[0].time, time=latest.time, what=what, motion=latest.motion)
        return None

    def _faulty(self, kind: Kind) -> HealthEvent | None:
        texts = {
            "covered": "hardly any contrast is left",
            "dark": "no light, or none that reaches the sensor",
            "defocused": "fine detail is gone all over the picture",
            "dirty": "detail is gone in a part of the picture",
        }
        return self._repeated(kind, lambda each: each.condition.fault == kind, texts[kind])

    def _repeated(self, kind: Kind, is_so, what: str) -> HealthEvent | None:  # type: ignore[no-untyped-def]
        count = LASTING_FRAMES if kind in LASTING else NEEDED
        recent = self._recent(count)
        if len(recent) < count or not all(is_so(each) for each in recent):
            return None
        return HealthEvent(kind=kind, since=recent[0].time, time=recent[-1].time, what=what)

    def _clock(self, time: float, received: float | None) -> list[HealthEvent]:
        """Compare the delay from exposure to arrival with that of the frame before."""
        if received is None:
            return []
        delay, before = received - time, self._delay
        self._delay = delay
        if before is None or abs(delay - before) < CLOCK_JUMP_S:
            return []
        what = f"the camera's clock jumped by {before - delay:+.1f} s"
        return [HealthEvent(kind="clock", since=time, time=time, what=what)]


def judge(watch: Watch, frame: Pixels, gray: NDArray[np.uint8], time: float, frozen: bool) -> FrameHealth:
    """Judge one frame by itself."""
    state = condition(gray, watch.detail)
    moved: Motion | None = None
    if state.fault not in ("covered", "dark"):
        try:
            moved = motion(watch, frame)
        except DegenerateError:
            moved = None
    return FrameHealth(
        time=time,
        condition=state,
        motion=moved,
        suspects_move=moved is not None and suspects(moved, watch),
        frozen=frozen,
    )


def suspects(moved: Motion, watch: Watch) -> bool:
    """Tell whether a motion is large and sure enough to be one."""
    large = moved.moved_px > max(MIN_MOVED_PX, 3.0 * watch.usual_px)
    far = moved.turned_deg > MIN_MOVED_DEG or moved.shifted_m > MIN_MOVED_M
    told = moved.found >= MIN_PATCHES and moved.agree >= MIN_AGREE
    return large and far and told and moved.chi2 > SIGNIFICANT


def _same(a: Motion | None, b: Motion | None) -> bool:
    """Tell whether two frames say the same motion, within what they are sure of."""
    if a is None or b is None:
        return False
    difference = np.abs(a.xi - b.xi)
    sigma = np.sqrt(np.diag(a.covariance) + np.diag(b.covariance))
    bound = np.maximum(np.repeat([np.radians(SAME_DEG), SAME_M], 3), SAME_SIGMAS * sigma)
    return bool((difference < bound).all())


def check(watch: Watch, frames: Sequence[Pixels], times: Sequence[float]) -> list[HealthEvent]:
    """Return all events of frames in order."""
    monitor = HealthMonitor(watch)
    return [event for frame, time in zip(frames, times, strict=True) for event in monitor.see(frame, time)]
