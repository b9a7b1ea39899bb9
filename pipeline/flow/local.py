"""The engine of one machine: decode threads and model threads in this process."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config import Settings
from pipeline.flow.engine import EncodeTexts, Line, Shared
from pipeline.flow.intake import Intake, Intaken
from pipeline.flow.model_stage import ModelStage
from pipeline.flow.workers import AtStop, Channel, StageGroup
from pipeline.models.devices import expects_gpu, share_cores, usable_cores
from pipeline.models.loaded import Models
from pipeline.records import DecodedVideo, VideoFile, Written
from pipeline.stages.decode import Decoder
from pipeline.stages.embed import Embedder

RESULTS = 256  # that wait for the writer: a few commits


class LocalEngine:
    """Runs both stages in threads.

    Args:
        settings: of the run.
        say: prints what is being loaded.
        models: loaded before; by default they are loaded when they are needed.
    """

    def __init__(
        self, settings: Settings, say: Callable[[str], None], *, models: Models | None = None
    ) -> None:
        self._settings = settings
        self._threads = share_cores(settings, gpu=expects_gpu(settings), cores=usable_cores())
        self._models = models or Models(
            settings, say, threads=self._threads.per_model, streams=self._threads.models
        )

    @property
    def cores(self) -> int | None:
        return self._threads.cores

    def connect(self, stages: StageGroup, shared: Shared) -> Line:
        queue, threads = self._settings.queue, self._threads
        files: Channel[VideoFile] = stages.channel(threads.decode)
        decoded: Channel[Intaken] = stages.channel(
            queue.items,
            nbytes=queue.megabytes << 20,
            producers=threads.decode,
            at_stop=AtStop.CLEAR,
        )
        results: Channel[Written] = stages.channel(
            RESULTS, producers=threads.models, at_stop=AtStop.KEEP
        )
        intake = Intake(shared, lambda: Decoder(self._settings, self._models.preprocess()))
        model_stage = ModelStage(self._embedder(), shared.journal)
        stages.stage(
            "decode", intake.take_each, files, decoded, threads=threads.decode, size_of=_nbytes
        )
        stages.stage(
            "models",
            model_stage.embed_each,
            decoded,
            results,
            threads=threads.models,
            most=threads.videos,
            cores=max(threads.per_model, 1),
        )
        return Line(files, results)

    def text_encoder(self) -> EncodeTexts | None:
        clip = self._models.loaded_clip
        return clip.encode_texts if clip else None

    def _embedder(self) -> Embedder:
        first_only = self._settings.clip.transcript == "first_window"
        return Embedder(self._models.clip, self._models.whisper, first_window_only=first_only)


def _nbytes(item: Intaken) -> int:
    return item.nbytes if isinstance(item, DecodedVideo) else 0
