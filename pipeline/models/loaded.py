"""The models of a run, each loaded once, when it is first needed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipeline.errors import ModelError
from pipeline.models import devices, hub
from pipeline.models.clip import ClipEncoder
from pipeline.models.fetch import Find, fetch, fetch_texts
from pipeline.models.names import HUB, resolve_clip
from pipeline.models.preprocess import Preprocess, read_preprocess
from pipeline.models.protocols import ImageTextEncoder, SpeechRecogniser
from pipeline.models.transcriber import Transcriber
from pipeline.models.weights import find_clip, find_whisper
from pipeline.settings import LOCAL_DIR, Settings

Model = TypeVar("Model")


class Models:
    """Loads each model when it is first asked for: a run that only moves rows loads none.

    Safe in any thread: the first to ask for a model loads it, and the others wait.

    Args:
        settings: which models, and where they run.
        say: shows a person what is being loaded.
        threads: cores that one call of a model uses on the CPU; 0 for all there are.
        streams: number of threads that call them.

    Attributes:
        loading_seconds: spent on loading so far.
    """

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        *,
        threads: int = 0,
        streams: int = 1,
    ) -> None:
        self.loading_seconds = 0.0
        self._settings = settings
        self._say = say
        self._threads = threads
        self._streams = streams
        self._lock = threading.RLock()
        self._placement: devices.Placement | None = None
        self._preprocess: Preprocess | None = None
        self._clip: ClipEncoder | None = None
        self._whisper: Transcriber | None = None

    def clip(self) -> ImageTextEncoder:
        """Return CLIP, loaded on its device.

        Raises:
            SettingsError: there is no such model or tag.
            ModelError: its weights or its device cannot be used.
        """
        with self._lock:
            if self._clip is None:
                self._clip = self._timed(self._load_clip)
            return self._clip

    @property
    def loaded_clip(self) -> ImageTextEncoder | None:
        """CLIP if it is loaded, else None."""
        return self._clip

    def whisper(self) -> SpeechRecogniser:
        """Return Whisper, loaded on its device.

        Raises:
            SettingsError: the model does not know the language.
            ModelError: its weights or its device cannot be used.
        """
        with self._lock:
            if self._whisper is None:
                self._whisper = self._timed(self._load_whisper)
            return self._whisper

    def preprocess(self) -> Preprocess:
        """Return CLIP's preprocessing of one picture; loads no weights.

        Raises:
            SettingsError: there is no such model or tag.
            ModelError: the model's configuration cannot be read.
        """
        with self._lock:
            if self._preprocess is None:
                self._preprocess = self._timed(self._load_preprocess)
            return self._preprocess

    def _load_preprocess(self) -> Preprocess:
        quiet_libraries()
        return read_preprocess(*self._clip_name())

    def _timed(self, load: Callable[[], Model]) -> Model:
        """Load something, and add the time; one load inside another counts once."""
        before, began = self.loading_seconds, time.perf_counter()
        try:
            return load()
        finally:
            self.loading_seconds = before + time.perf_counter() - began

    def _load_clip(self) -> ClipEncoder:
        place, settings = self._place(), self._settings.clip
        name, tag = self._clip_name()
        file = str(self._fetched(find_clip)) if tag else ""
        self._say(f"Loading CLIP ({settings.model})...")
        clip = ClipEncoder(
            name,
            file,
            preprocess=self.preprocess(),
            texts=fetch_texts(self._settings, self._say),
            device=place.clip_device,
            precision=place.clip_precision,
            batch_frames=settings.batch_frames,
            threads=self._threads,
        )
        if clip.preprocess != self.preprocess():
            raise ModelError(
                f"clip.model = {settings.model}: its weights need {clip.preprocess}, but its"
                f" configuration gives {self.preprocess()}"
            )
        return clip

    def _load_whisper(self) -> Transcriber:
        place, settings = self._place(), self._settings.whisper
        folder = self._fetched(find_whisper)
        self._say(f"Loading Whisper ({settings.model})...")
        return Transcriber(
            str(folder),
            language=settings.language,
            translates=self._settings.speech.text == "english",
            full_windows=settings.windows == "full",
            device=place.whisper_device,
            compute_type=place.whisper_precision,
            threads=self._threads or devices.usable_cores(),
            streams=self._streams,
        )

    def _place(self) -> devices.Placement:
        if self._placement is None:
            quiet_libraries()
            self._placement = devices.choose(self._settings)
            self._say(f"Using device: {self._placement}")
        return self._placement

    def _clip_name(self) -> tuple[str, str | None]:
        """Name CLIP as open_clip does, with its tag or checkpoint, or the folder that it is in."""
        settings = self._settings
        if settings.clip_folder is not None or settings.clip.model.startswith(HUB):
            return f"{LOCAL_DIR}{self._fetched(find_clip)}", None
        return resolve_clip(
            settings.clip.model, str(settings.clip_checkpoint or settings.clip.pretrained)
        )

    def _fetched(self, find: Find) -> Path:
        (path,) = fetch(self._settings, self._say, finders=(find,))
        return path


def quiet_libraries() -> None:
    """Keep the libraries of the models from logging a message twice.

    open_clip logs an error on the root logger and then raises it.
    """
    hub.quiet()
    logging.getLogger().addFilter(_is_not_raised)  # adding a filter twice changes nothing


def _is_not_raised(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR or "open_clip" not in Path(record.pathname).parts
