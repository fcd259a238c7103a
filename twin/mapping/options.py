"""How a twin is made."""

from dataclasses import dataclass

from geometry import Georeference
from twin.mapping.meaning import Part


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """How a twin is made.

    refine_lens: adjust intrinsics that were given too (those from EXIF always are, unless all poses are known)
    extractor, matcher: names of perception's; force: publish a map that is folded, which says so
    parts: of "marks", "signs", "textures", "telltales", "surface", what to look for beside floors
    fit_plan: the plan has a frame of its own
    georeference: where on Earth the site is
    budget_mb: how many million bytes the map may take: map/, landmarks/ and places/; None for all that is useful
    keep_workspace: leave intermediate results beside the twin
    """

    refine_lens: bool = False
    extractor: str = "sift"
    matcher: str = "mutual-ratio"
    force: bool = False
    parts: tuple[Part, ...] = ()
    fit_plan: bool = False
    georeference: Georeference | None = None
    budget_mb: float | None = None
    seed: int = 0
    keep_workspace: bool = False
