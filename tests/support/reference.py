"""The recipe that the project started from, written down plainly, to compare the pipeline with.

One video after another, one frame at a time, straight use of the libraries: OpenCV reads pictures,
open_clip encodes them, faster-whisper listens, CLIP's text encoder takes what it heard. Nothing
here comes from the project. Where the recipe leaves a choice:

- `linspace(0, total - 1, n)` becomes indices by cutting off the fraction, as `dtype=int` does in
  numpy and `int(i)` does in a loop; `total` is how many frames can be read, not what a header says.
- Pictures get square pixels, which OpenCV leaves to its caller. OpenCV's wheels cannot decode
  AV1; what it cannot read, PyAV reads, also from the first frame to the last.
- A transcript longer than the text encoder's window is packed, segment by segment, into windows
  that hold as many as fit; their unit vectors are averaged. (The first recipe cut it off.) A single
  segment that does not fit is halved at the space nearest to its middle.
- Whisper decodes greedily. Its voice detector is on, as invented words have no reference; without
  it a few seconds of music can also take minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from faster_whisper import WhisperModel
from PIL import Image

from pipeline.models.openclip import open_clip


def frame_indices(total: int, n: int) -> list[int]:
    """Indices of `n` frames spread over `total`, the first and the last among them."""
    return [int(index) for index in np.linspace(0, total - 1, n)]


def read_frames(path: Path, n: int) -> tuple[list[np.ndarray], list[int]]:
    """The chosen frames, uint8 `[height, width, 3]`, RGB, upright, square pixels; their indices.

    Both lists are empty where nothing can be read. All frames are read in order, twice: once to
    count them, once to take the chosen ones; seeking by index is not exact in every file.
    """
    for frames_of in (_opencv_frames, _pyav_frames):
        total = sum(1 for _ in frames_of(path))
        if total:
            indices = frame_indices(total, n)
            chosen = {i: frame for i, frame in enumerate(frames_of(path)) if i in indices}
            return [chosen[i] for i in indices], indices
    return [], []


def _opencv_frames(path: Path) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    aspect = capture.get(cv2.CAP_PROP_SAR_NUM) / (capture.get(cv2.CAP_PROP_SAR_DEN) or 1)
    turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 != 0
    while True:
        there_is_one, bgr = capture.read()  # upright already
        if not there_is_one:
            return
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        yield np.rot90(_square(np.rot90(rgb), aspect), -1) if turned else _square(rgb, aspect)


def _pyav_frames(path: Path) -> Iterator[np.ndarray]:
    with suppress(av.error.FFmpegError), av.open(str(path), metadata_errors="replace") as container:
        for stream in container.streams.video[:1]:
            for frame in container.decode(stream):
                rgb = _square(frame.to_ndarray(format="rgb24"), stream.sample_aspect_ratio or 1)
                yield np.rot90(rgb, frame.rotation // 90)


def _square(rgb: np.ndarray, pixel_aspect: float | Fraction) -> np.ndarray:
    """Widen a picture by the shape of its pixels; 0 means that this is not known."""
    if pixel_aspect in (0, 1):
        return rgb
    height, width, _ = rgb.shape
    size = (round(width * pixel_aspect), height)
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))


class Reference:
    """The models of the recipe.

    Args:
        clip: a model name of open_clip, such as `local-dir:FOLDER`.
        whisper: a folder with a model for faster-whisper.
        n_frames: pictures a video.
    """

    def __init__(self, clip: str, whisper: Path, *, n_frames: int = 5) -> None:
        self._clip, _, self._preprocess = open_clip.create_model_and_transforms(clip)
        self._clip.eval()
        self._tokenize = open_clip.get_tokenizer(clip)
        self._whisper = WhisperModel(str(whisper), device="cpu", compute_type="float32")
        self._n_frames = n_frames

    @torch.no_grad()
    def visual(self, frames: Sequence[np.ndarray]) -> torch.Tensor:
        """float32 `[d]`, unit length: the mean of the frames' vectors."""
        pictures = [self._preprocess(Image.fromarray(frame)) for frame in frames]
        vectors = [self._clip.encode_image(picture[None])[0] for picture in pictures]
        return _unit(torch.stack(vectors).mean(dim=0))

    def listen(self, path: Path) -> list[str]:
        """The texts of the segments that Whisper hears; none where there is no sound."""
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.audio:
                return []
        segments, _ = self._whisper.transcribe(str(path), beam_size=1, vad_filter=True)
        return [segment.text.strip() for segment in segments]

    @torch.no_grad()
    def speech(self, segments: Sequence[str]) -> torch.Tensor:
        """float32 `[d]`, unit length; zeros where there are no words."""
        vectors = [
            _unit(self._clip.encode_text(self._tokenize([window]))[0])
            for window in self.windows(segments)
        ]
        if not vectors:
            return torch.zeros(self._clip.text_projection.shape[1])
        return _unit(torch.stack(vectors).mean(dim=0))

    def windows(self, segments: Sequence[str]) -> list[str]:
        """The transcript as texts that fit into the text encoder."""
        windows: list[str] = []
        for piece in (piece for segment in segments if segment for piece in self._halve(segment)):
            if windows and self._fits(f"{windows[-1]} {piece}"):
                windows[-1] = f"{windows[-1]} {piece}"
            else:
                windows.append(piece)
        return windows

    def _halve(self, text: str) -> list[str]:
        spaces = [i for i, character in enumerate(text) if character == " "]
        if self._fits(text) or not spaces:
            return [text]
        middle = min(spaces, key=lambda i: abs(i - len(text) // 2))
        return self._halve(text[:middle].strip()) + self._halve(text[middle:].strip())

    def _fits(self, text: str) -> bool:
        return len(self._tokenize.encode(text)) + 2 <= self._tokenize.context_length  # start, end

    def embed(self, path: Path) -> dict[str, Any] | None:
        """One video: its vector `[2 d]`, transcript and frame indices; None if it has no frames."""
        frames, indices = read_frames(path, self._n_frames)
        if not frames:
            return None
        segments = self.listen(path)
        vector = torch.cat([self.visual(frames), self.speech(segments)])
        return {"vector": vector, "transcript": " ".join(segments).strip(), "indices": indices}

    def extract(self, folder: Path) -> dict[str, Any]:
        """Embed a collection.

        Returns:
            What the three artifacts hold: `labeled`, `unlabeled`, `transcripts`; and `indices` by
            path, `skipped` paths. Paths are relative to the folder.
        """
        done, skipped = {}, []
        files = [file for file in folder.rglob("*") if file.is_file()]
        for name in sorted(file.relative_to(folder).as_posix() for file in files):
            embedded = self.embed(folder / name)
            if embedded is None:
                skipped.append(name)
            else:
                done[name] = embedded
        labeled = [name for name in done if "/" in name]
        unlabeled = [name for name in done if "/" not in name]
        label_names = sorted({name.split("/")[0] for name in labeled})
        labels = [label_names.index(name.split("/")[0]) for name in labeled]
        return {
            "labeled": {
                "features": self._table([done[name] for name in labeled]),
                "labels": torch.tensor(labels, dtype=torch.int64),
                "label_names": label_names,
                "video_paths": labeled,
            },
            "unlabeled": {
                "features": self._table([done[name] for name in unlabeled]),
                "video_paths": unlabeled,
            },
            "transcripts": {name: row["transcript"] for name, row in done.items()},
            "indices": {name: row["indices"] for name, row in done.items()},
            "skipped": skipped,
        }

    def _table(self, rows: list[dict[str, Any]]) -> torch.Tensor:
        width = 2 * self._clip.text_projection.shape[1]
        return torch.stack([row["vector"] for row in rows]) if rows else torch.zeros(0, width)


def _unit(vector: torch.Tensor) -> torch.Tensor:
    return vector / vector.norm()
