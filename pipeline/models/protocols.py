"""What the stages ask of a model: the door for another backend.

A backend is a class with these methods; `Models` makes it, and nothing else knows which one it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pipeline.errors import VideoError
from pipeline.records import Prepare
from pipeline.speech import SpeechWindow, Transcript


class ImageTextEncoder(Protocol):
    """Encodes pictures and texts into one space, where cosines compare them."""

    @property
    def dimension(self) -> int:
        """Length of a vector, `d`."""

    @property
    def preprocess(self) -> Prepare:
        """Resizing and cropping of one picture for `encode_frames`."""

    def encode_frames(self, pixels: np.ndarray) -> np.ndarray:
        """Encode pictures.

        Args:
            pixels: uint8 `[n, height, width, 3]`, as `preprocess` gives each.

        Returns:
            float32 `[n, d]`, not normalised.

        Raises:
            RuntimeError: the model failed on them; each picture is then tried alone.
        """

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts; what is beyond the encoder's window is cut off.

        Returns:
            float32 `[n, d]`, each of unit length.

        Raises:
            RuntimeError: the model failed on them; each text is then tried alone.
        """

    def fits(self, text: str) -> bool:
        """Tell whether the text encoder's window holds a whole text."""


class SpeechRecogniser(Protocol):
    """Turns speech into timed words."""

    def transcribe(self, clips: Sequence[Sequence[SpeechWindow]]) -> list[Transcript | VideoError]:
        """Transcribe the speech of several clips.

        Args:
            clips: the windows of each clip, in order.

        Returns:
            For each clip its transcript, with times in seconds of its sound, or its error.

        Raises:
            ModelError: the device failed.
        """
