"""Numbers for people: three figures, and always a unit."""

NO_BREAK = "\N{NO-BREAK SPACE}"


def length(metres: float) -> str:
    """Return a length in the unit that suits it: '0.42 mm', '3.1 mm', '27 cm', '14.0 m'."""
    size = abs(metres)
    if size < 0.1:
        return _with_unit(metres * 1e3, "mm")
    return _with_unit(metres * 1e2, "cm") if size < 1.0 else _with_unit(metres, "m")


def round_length(metres: float) -> str:
    """Return a round length without idle zeros: '0.5 mm', '20 cm', '5 m'."""
    size, unit = (metres * 1e3, "mm") if metres < 0.1 else (metres * 1e2, "cm") if metres < 1.0 else (metres, "m")
    return f"{size:g}{NO_BREAK}{unit}"


def angle(degrees: float) -> str:
    """Return an angle in degrees: '0.012°', '3.4°'."""
    return f"{degrees:.{_decimals(degrees) + (abs(degrees) < 0.1)}f}°"


def share(fraction: float) -> str:
    """Return a share in per cent; only what is exactly one is called 100 %, and only nothing 0 %."""
    percent = 100.0 * fraction
    shown = 99 if 99 < percent < 100 else 1 if 0 < percent < 1 else round(percent)
    return f"{shown}{NO_BREAK}%"


def seconds(value: float) -> str:
    """Return a duration: '0.52 s'."""
    return _with_unit(value, "s")


def pixels(value: float) -> str:
    """Return a length in the image: '0.31 px'."""
    return _with_unit(value, "px")


def count(number: int) -> str:
    """Return a count with thin spaces between the thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _with_unit(value: float, unit: str) -> str:
    return f"{value:.{_decimals(value)}f}{NO_BREAK}{unit}"


def _decimals(value: float) -> int:
    size = abs(value)
    return 2 if size < 1 else 1 if size < 20 else 0
