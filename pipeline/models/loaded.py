"""Both models, each loaded once, when it is first needed: a run that only moves rows loads none."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pipeline.config import LOCAL_DIR, Settings
from pipeline.decode.video import Prepare
from pipeline.doctor.weights import tell_once
from pipeline.models import devices
from pipeline.models.clip import ClipEncoder
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

    def prepare(self) -> Prepare:
        """CLIP's preprocessing of one picture."""
        return self.clip().prepare

    def _place(self) -> devices.Placement:
        if self._placement is None:
            tell_once()  # the models' libraries are imported next
            self._placement = devices.choose(self._settings)
            self._say(f"Using device: {self._placement}")
        return self._placement

    def _clip_name(self) -> str:
        folder = self._settings.clip_folder
        return f"{LOCAL_DIR}{folder}" if folder else self._settings.clip.model
