"""Both stages on one video that is not stored, for a search by video and a crash trial."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import VideoError
from pipeline.models.loaded import Models
from pipeline.outcomes import Failure
from pipeline.records import EmbeddedVideo, Needs, Task, VideoFile
from pipeline.settings import Settings
from pipeline.stages.decode import Decoder
from pipeline.stages.embed import Embedder

ALL = Needs()


def embed_video(
    settings: Settings, location: Path, models: Models, needs: Needs = ALL
) -> EmbeddedVideo:
    """Embed one video.

    Args:
        settings: of the run.
        location: the file.
        models: loaded where they are needed.
        needs: parts to make.

    Raises:
        VideoError: the video cannot be embedded; the reason names the file.
        ModelError: a model cannot be loaded.
    """
    file = VideoFile(location.name, location.absolute(), size=0, mtime_ns=0)
    embedder = Embedder.of(settings, models)
    try:
        task = Task(file, content_hash="", needs=needs)
        decoded = Decoder(settings, models.preprocess()).decode(task)
        (result,) = embedder.embed([decoded])
    except VideoError as error:
        raise VideoError(error.stage, f"{location}: {error.reason}") from error
    if isinstance(result, Failure):
        raise VideoError(result.stage, f"{location}: {result.reason}")
    return result
