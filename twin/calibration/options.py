"""What calibration tries, and what it refuses."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CalibrationOptions:
    """What calibration tries, and what it refuses.

    candidates: coarse poses that are adjusted and compared
    rounds: how often evidence is gathered anew around the adjusted pose
    min_evidence: less that agrees is refused; min_cells: of the 8 x 6 of the picture that must hold some
    max_rival: a calibration is refused where another place has this share of its support
    max_sigma_m, max_sigma_deg: weaker determined poses are refused
    surface_sigma_m: of points on the twin's surface, each for itself
    tag_frames: frames in which tags are looked for
    max_inflation_landmarks: landmarks whose residuals are so many times larger than claimed are said to limit
    """

    candidates: int = 5
    rounds: int = 4
    min_evidence: int = 25
    min_cells: int = 6
    max_rival: float = 0.6
    max_sigma_m: float = 0.5
    max_sigma_deg: float = 2.0
    surface_sigma_m: float = 0.005
    tag_frames: int = 5
    seed: int = 0
