"""The decode stage: from a file that needs work to the frames and the speech for the models.

Pure and picklable: the same object decodes in a thread, in a process or on another machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.decode.video import Contents, read_video
from pipeline.models.vad import find_speech
from pipeline.records import DecodedVideo, MediaFacts, Prepare, Task
from pipeline.settings import Settings
from pipeline.speech import SpeechStatus, SpeechWindow, Transcript


def _no_beat() -> None:
    """Stand in where no heartbeat is kept."""


@dataclass(frozen=True)
class Decoder:
    """Decodes one video after another, each on one core.

    Args:
        settings: number of frames, sampling, limits and voice detector.
        preprocess: CLIP's preprocessing of one picture.
    """

    settings: Settings
    preprocess: Prepare

    def decode(
        self,
        task: Task,
        transcript: Transcript | None = None,
        beat: Callable[[], None] = _no_beat,
    ) -> DecodedVideo:
        """Decode what a task needs.

        A stored transcript that lacks the translation that CLIP is to be given is made again: one
        pass of Whisper gives both.

        Args:
            task: the file, and the parts of its row to make.
            transcript: words of the stored row, where they are kept.
            beat: called whenever reading the file goes on.

        Raises:
            VideoError: the file cannot be decoded.
        """
        if transcript and transcript.lacks_translation and self._in_english:
            task = replace(task, needs=replace(task.needs, transcript=True))
        needs = task.needs
        contents = self._read(task, beat)
        windows: tuple[SpeechWindow, ...] = ()
        if needs.transcript and contents.sound is not None:
            windows = find_speech(contents.sound.samples, vad=self.settings.whisper.vad, beat=beat)
        return DecodedVideo(
            task,
            MediaFacts(contents.duration_seconds, contents.width, contents.height),
            contents.frames,
            windows,
            _silence(contents, windows) if needs.transcript else None,
            contents.sound.start_seconds if contents.sound else 0.0,
            transcript,
            contents.moments,
        )

    @property
    def _in_english(self) -> bool:
        return self.settings.speech.text == "english"

    def _read(self, task: Task, beat: Callable[[], None]) -> Contents:
        clip, limits = self.settings.clip, self.settings.decode
        return read_video(
            task.file.location,
            n_frames=clip.frames if task.needs.visual else 0,
            want_sound=task.needs.transcript,
            prepare=self.preprocess,
            max_megapixels=limits.max_megapixels,
            timeout_seconds=limits.timeout_seconds,
            at_keyframes=clip.sampling == "keyframes",
            moments_seconds=clip.moments_seconds if task.needs.moments else 0.0,
            beat=beat,
        )


def _silence(contents: Contents, windows: tuple[SpeechWindow, ...]) -> SpeechStatus | None:
    if windows:
        return None
    return SpeechStatus.NO_AUDIO if contents.sound is None else SpeechStatus.NO_SPEECH
