"""What calibrating a camera found: a pose and a lens with their covariance, what they rest on, and what limits them."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import largest_sigma, position_covariance, position_of, quat_xyzw_of

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class EvidenceCount:
    """Evidence of one kind: how much was looked for and found, how much agrees, and its median residual in pixels."""

    looked_for: int
    found: int
    agree: int
    residual_px: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraCalibration:
    """A calibration, or a refusal with its ``reason`` and no pose.

    covariance: (6, 6) of ``cam_from_site`` in the tangent of geometry.frames, with the map's own uncertainty
    lens_covariance: (6 + K, 6 + K) beside it, where the lens was adjusted: pose, then the free parameters ``lens_free``
    evidence: by kind; coverage: share of the picture's cells with evidence; cells: (R, C) how much in each
    method: what the coarse pose came from; limits: what limits it, most important first
    residual_px: median over what agrees
    """

    id: str
    status: Literal["ok", "refused"]
    reason: str | None = None
    camera: pycolmap.Camera | None = None
    cam_from_site: pycolmap.Rigid3d | None = None
    covariance: Array | None = None
    lens_covariance: Array | None = None
    lens_free: tuple[tuple[int, ...], ...] = ()
    evidence: dict[str, EvidenceCount] = field(default_factory=dict)
    coverage: float = 0.0
    cells: NDArray[np.int64] | None = None
    method: str = ""
    limits: tuple[str, ...] = ()
    residual_px: float | None = None
    rivals: tuple[tuple[tuple[float, float, float], float], ...] = ()
    level: str | None = None
    frames: int = 0
    seconds: float = 0.0
    noise: dict[str, float] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """Return it as JSON has it; positions in site metres, ``quat_xyzw`` is site_from_cam."""
        result: dict[str, Any] = {"id": self.id, "status": self.status, "reason": self.reason, "frames": self.frames}
        if self.status == "ok" and self.camera is not None and self.cam_from_site is not None:
            assert self.covariance is not None
            in_site = position_covariance(self.cam_from_site, self.covariance)
            result |= {
                "model": self.camera.model_name,
                "width": self.camera.width,
                "height": self.camera.height,
                "params": self.camera.params.tolist(),
                "position": position_of(self.cam_from_site).tolist(),
                "quat_xyzw": quat_xyzw_of(self.cam_from_site).tolist(),
                "covariance": self.covariance.tolist(),
                "position_sigma_m": largest_sigma(in_site),
                "rotation_sigma_deg": float(np.degrees(largest_sigma(self.covariance[:3, :3]))),
                "focal_sigma_px": self.focal_sigma_px,
                "level": self.level,
            }
        result |= {
            "method": self.method,
            "evidence": {kind: vars(count) for kind, count in self.evidence.items()},
            "coverage": round(self.coverage, 3),
            "residual_px": self.residual_px,
            "limits": list(self.limits),
            "rivals": [{"position": list(position), "support": support} for position, support in self.rivals],
            "seconds": round(self.seconds, 2),
        }
        return result

    @property
    def focal_sigma_px(self) -> float | None:
        """Standard deviation of the focal length, where it was adjusted."""
        if self.lens_covariance is None or self.camera is None:
            return None
        focal = set(self.camera.focal_length_idxs())
        for k, group in enumerate(self.lens_free):
            if set(group) <= focal:
                return float(np.sqrt(self.lens_covariance[6 + k, 6 + k]))
        return None
