"""Networks in ONNX files, loaded: the one place that reads such a file, under a bound on its size."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geometry.errors import InputError, MissingExtraError

MAX_FILE_BYTES = 2**30
CPU = "CPUExecutionProvider"


class OnnxNetwork:
    """A network in ONNX Runtime. ``name`` is its file's name with a hash of its content, ``metadata`` what it says."""

    def __init__(
        self,
        path: Path,
        *,
        providers: Sequence[str] = (CPU,),
        threads: int = 0,
        settings: Any = None,
        install: str = "pip install 'tiepoint[detect]'",
    ) -> None:
        """Load a network; ``InputError`` for a file that is none, or is larger than ``MAX_FILE_BYTES``.

        threads: 0 for as many as there are cores; settings: ``SessionOptions`` instead
        install: what brings ONNX Runtime
        """
        runtime = onnxruntime(install)
        if settings is None:
            settings = runtime.SessionOptions()
            settings.intra_op_num_threads = threads
        settings.log_severity_level = 3
        content = _content(path)
        try:
            self.session = runtime.InferenceSession(content, settings, providers=list(providers))
        except Exception as error:  # onnxruntime raises its own kinds, by what is wrong with the file
            remedy = "Give an .onnx file, whole."
            raise InputError(f"can't load the network ({error})", where=str(path), remedy=remedy) from error
        self.name = f"{path.name}#{hashlib.sha256(content).hexdigest()[:12]}"
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)


def onnxruntime(install: str = "pip install 'tiepoint[detect]'") -> Any:
    """Return the module. Raises ``MissingExtraError`` where it isn't installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", install) from error
    return onnxruntime


def _content(path: Path) -> bytes:
    """Return a file's content; nothing of one that is too large is read, and of what grows no more than the bound."""
    try:
        if not path.is_file():
            raise InputError(
                "can't read the network: there is no such file",
                where=str(path),
                remedy="Give the path of an .onnx file.",
            )
        with path.open("rb") as file:
            size = path.stat().st_size
            content = b"" if size > MAX_FILE_BYTES else file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't read the network: {error.strerror}", where=str(path)) from error
    if max(size, len(content)) > MAX_FILE_BYTES:
        remedy = "Give a smaller network; those for cameras have a few MiB."
        raise InputError(f"is larger than {MAX_FILE_BYTES >> 20} MiB", where=str(path), remedy=remedy)
    return content
