"""What schemathesis has to be told: how lines of JSON look, and what a photo is."""

import io
import json
import zipfile
from typing import Any

import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image


def _photo(seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def _zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("twin.yaml", content)
    return buffer.getvalue()


schemathesis.openapi.media_type("application/zip", st.binary(max_size=200).map(_zip))
schemathesis.openapi.media_type("image/jpeg", st.integers(0, 20).map(_photo))


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    """Return a value as one line."""
    return json.dumps(value).encode() + b"\n"
