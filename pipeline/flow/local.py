"""The engine of one machine: decode threads and model threads in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.flow.engine import EncodeTexts, Line, Shared
from pipeline.flow.intake import Intake
from pipeline.flow.journal import Journal
from pipeline.flow.wiring import Shape, wire
from pipeline.flow.workers import StageGroup
from pipeline.models.devices import expects_gpu, share_cores, usable_cores
from pipeline.models.loaded import Models
from pipeline.outcomes import Failure, Left
from pipeline.records import DecodedVideo, EmbeddedVideo, Task, VideoFile
from pipeline.settings import Settings
from pipeline.speech import Transcript
from pipeline.stages.decode import Decoder
from pipeline.stages.embed import Embedder
from pipeline.stages.read import decode_file, hash_file


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

    @property
    def loading_seconds(self) -> float:
        return self._models.loading_seconds

    def connect(self, stages: StageGroup, shared: Shared) -> Line:
        queue, threads = self._settings.queue, self._threads
        shape = Shape(
            threads.decode,
            threads.models,
            threads.videos,
            queue.items,
            queue.megabytes << 20,
            cores=max(threads.per_model, 1),
        )
        reader = _LocalReader(self._decoder, shared)
        intake = Intake(shared.claims, shared.transcript_of, reader)
        embedder = _LocalEmbedder(Embedder.of(self._settings, self._models), shared.journal)
        return wire(stages, intake, embedder, shape)

    def abandon(self) -> None:
        """Nothing runs outside of this process."""

    def text_encoder(self) -> EncodeTexts | None:
        clip = self._models.loaded_clip
        return clip.encode_texts if clip else None

    def _decoder(self) -> Decoder:
        return Decoder(self._settings, self._models.preprocess())


class _LocalReader:
    """Reads files in the thread that asks, which the journal and the heartbeat know of.

    Args:
        decoder: gives the decoder; called only when a file is decoded.
        shared: has both.
    """

    def __init__(self, decoder: Callable[[], Decoder], shared: Shared) -> None:
        self._decoder = decoder
        self._journal, self._heartbeat = shared.journal, shared.heartbeat

    def hash(self, file: VideoFile) -> str | Failure | Left:
        with self._journal.in_hand([file.path]), self._heartbeat.reading(file) as beat:
            return hash_file(file, beat)

    def decode(self, task: Task, words: Transcript | None) -> DecodedVideo | Failure | Left:
        with self._journal.in_hand([task.file.path]):
            decoder = self._decoder()
            with self._heartbeat.reading(task.file) as beat:
                return decode_file(decoder, task, words, beat)


class _LocalEmbedder:
    """Embeds in the thread that asks, which the journal knows of."""

    def __init__(self, embedder: Embedder, journal: Journal) -> None:
        self._embedder = embedder
        self._journal = journal

    def embed(self, videos: Sequence[DecodedVideo]) -> list[EmbeddedVideo | Failure]:
        with self._journal.in_hand([video.task.file.path for video in videos]):
            return self._embedder.embed(videos)
