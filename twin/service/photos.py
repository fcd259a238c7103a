"""A photo that was sent, as a file of our own naming, after a look at its head."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from fastapi import UploadFile
from PIL import Image

from perception.images import FORMATS
from twin.service.problems import ServiceError
from twin.service.settings import Limits


def stored_photo(upload: UploadFile, name: str, folder: Path, limits: Limits, stack: ExitStack) -> Path:
    """Put a photo into a file of our own naming, after a look at its head. Raises ``ServiceError``."""
    if (upload.size or 0) > limits.image_bytes:
        raise ServiceError(413, f"{name} has {upload.size} bytes, the limit is {limits.image_bytes}")
    file = stack.enter_context(tempfile.NamedTemporaryFile(dir=folder, prefix="photo-"))  # noqa: SIM115
    source = upload.file
    source.seek(0)
    while block := source.read(1 << 20):
        file.write(block)
    file.flush()
    try:
        with Image.open(file.name, formats=FORMATS) as image:
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        width = height = limits.image_pixels
    except Exception as error:  # the decoders raise a dozen types on damaged data
        raise ServiceError(415, f"{name} is not an image that is read", remedy=f"Send {', '.join(FORMATS)}.") from error
    if width * height > limits.image_pixels:
        raise ServiceError(413, f"{name} has too many pixels, the limit is {limits.image_pixels}")
    return Path(file.name)
