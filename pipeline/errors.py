"""Errors that are not bugs; the text of each is for the person who runs the program.

PipelineError
 +- SettingsError   a setting or a flag is wrong; nothing was started (exit code 2)
 +- ModelError      weights or a device cannot be used; nothing can be embedded
 +- VideoError      one file cannot be embedded; it is recorded and the run goes on
"""

from __future__ import annotations

from enum import StrEnum


class PipelineError(Exception):
    """Base class; its text says what is wrong and what to do."""


class SettingsError(PipelineError):
    """A setting that is unknown, of the wrong type, or impossible."""


class ModelError(PipelineError):
    """A model's weights cannot be found or loaded, or its device cannot be used."""


class Stage(StrEnum):
    """Where a video failed."""

    READ = "read"
    DECODE = "decode"
    SPEECH = "speech"
    VISION = "vision"
    CRASH = "crash"  # it took the process down
    WRITE = "write"  # the store refused its row


class VideoError(PipelineError):
    """A video that cannot be read, decoded or embedded.

    Args:
        stage: where it failed.
        reason: what is wrong with the file, in words.
    """

    def __init__(self, stage: Stage, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason
