"""SVG as functions of numbers; every text and attribute is escaped."""

from collections.abc import Iterable

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike

Attribute = str | float | int | None


def element(tag: str, *children: str, **attributes: Attribute) -> Markup:
    """Return an element; ``class_`` means class, other underscores become hyphens, None is left out.

    Children that are not ``Markup`` are text and get escaped, as all attributes do.
    """
    pairs = (f' {_name(key)}="{escape(_value(value))}"' for key, value in attributes.items() if value is not None)
    opening = Markup("<{}{}>").format(Markup(tag), Markup("".join(pairs)))
    return opening + group(children) + Markup("</{}>").format(Markup(tag))


def group(children: Iterable[str]) -> Markup:
    """Return children one after the other."""
    return Markup("").join(children)


def drawing(width: float, height: float, *children: str, label: str, class_: str = "", role: str = "img") -> Markup:
    """Return a drawing of ``width`` x ``height`` units that fills its container; ``label`` is for screen readers."""
    return element(
        "svg", *children, class_=class_, viewBox=f"0 0 {_value(width)} {_value(height)}", role=role, aria_label=label
    )


def path(points: ArrayLike, *, closed: bool = False) -> str:
    """Return the path data of a line through points (N, 2)."""
    steps = [f"{x:.1f} {y:.1f}" for x, y in np.asarray(points, dtype=np.float64)]
    return "M" + "L".join(steps) + ("Z" if closed else "") if steps else ""


def dots(points: ArrayLike) -> str:
    """Return path data that a round line cap turns into dots at points (N, 2): far shorter than as many circles."""
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in np.asarray(points, dtype=np.float64))


def text(x: float, y: float, words: str, **attributes: Attribute) -> Markup:
    """Return a line of text."""
    return element("text", words, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: Attribute) -> Markup:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: Attribute) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
