"""Both models, each loaded once, when it is first needed: a run that only moves rows loads none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from pipeline.config import LOCAL_DIR, Settings
from pipeline.errors import ModelError
from pipeline.models import devices
from pipeline.models.clip import ClipEncoder
from pipeline.models.names import resolve_clip
from pipeline.models.preprocess import Preprocess, read_preprocess
from pipeline.models.transcriber import Transcriber


class Models:
    """Safe in any thread: whoever needs a model first loads it, the others wait.

    Args:
        settings: which models, and where they run.
        say: tells a person what is being loaded.
        threads: cores that one call of a model uses on the CPU; 0 for all there are.
        streams: how many threads call them.
    """

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        *,
        threads: int = 0,
        streams: int = 1,
    ) -> None:
        self._settings = settings
        self._say = say
        self._threads = threads
        self._streams = streams
        self._lock = threading.RLock()
        self._placement: devices.Placement | None = None
        self._preprocess: Preprocess | None = None
        self._clip: ClipEncoder | None = None
        self._whisper: Transcriber | None = None

    def clip(self) -> ClipEncoder:
        """CLIP, on its device.

        Raises:
            ModelError: its weights or its device cannot be used.
        """
        with self._lock:
            if self._clip is None:
                place, settings = self._place(), self._settings.clip
                self._say(f"Loading CLIP ({settings.model})...")
                self._clip = ClipEncoder(
                    self._clip_name(),
                    str(self._settings.clip_checkpoint or settings.pretrained),
                    device=place.clip_device,
                    precision=place.clip_precision,
                    batch_frames=settings.batch_frames,
                    threads=self._threads,
                )
                if self._clip.preprocess != self.preprocess():
                    raise ModelError(
                        f"clip.model = {settings.model}: its weights want {self._clip.preprocess}"
                        f" and its configuration says {self.preprocess()}"
                    )
            return self._clip

    @property
    def loaded_clip(self) -> ClipEncoder | None:
        """CLIP, where somebody has needed it."""
        return self._clip

    def whisper(self) -> Transcriber:
        """Whisper, on its device.

        Raises:
            ModelError: its weights or its device cannot be used.
        """
        with self._lock:
            if self._whisper is None:
                place, settings = self._place(), self._settings.whisper
                self._say(f"Loading Whisper ({settings.model})...")
                self._whisper = Transcriber(
                    str(self._settings.whisper_folder or settings.model),
                    language=settings.language,
                    full_windows=settings.windows == "full",
                    device=place.whisper_device,
                    compute_type=place.whisper_precision,
                    threads=self._threads or devices.usable_cores(),
                    streams=self._streams,
                )
            return self._whisper

    def preprocess(self) -> Preprocess:
        """CLIP's preprocessing of one picture; loads no weights.

        Raises:
            SettingsError: There is no such model or tag.
            ModelError: The model's configuration cannot be read.
        """
        with self._lock:
            if self._preprocess is None:
                log_once()
                clip = self._settings.clip
                weights = str(self._settings.clip_checkpoint or clip.pretrained)
                self._preprocess = read_preprocess(*resolve_clip(self._clip_name(), weights))
            return self._preprocess

    def _place(self) -> devices.Placement:
        if self._placement is None:
            log_once()  # the models' libraries are imported next
            self._placement = devices.choose(self._settings)
            self._say(f"Using device: {self._placement}")
        return self._placement

    def _clip_name(self) -> str:
        folder = self._settings.clip_folder
        return f"{LOCAL_DIR}{folder}" if folder else self._settings.clip.model


def log_once() -> None:
    """Have what the libraries of models log go where everything goes, once. huggingface_hub's own
    handler, which comes with the import, writes it to stderr a second time, as plain text; and
    open_clip logs the errors that it raises, on the root logger."""
    from huggingface_hub.utils import logging as hub

    hub.get_logger().handlers.clear()
    logging.getLogger().addFilter(_is_not_raised)  # the same one again changes nothing


def _is_not_raised(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR or "open_clip" not in Path(record.pathname).parts
