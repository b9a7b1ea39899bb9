"""What makes each part of a row, as readable text: a fingerprint that a person can compare.

Devices and number types are left out, also that of Whisper's weights: they change a vector by less
than what tells two apart, and of words one here and there that is hard to hear.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.models.transcriber import transcript_recipe
from store.schema import Recipe

VISUAL_METHOD = 1  # goes up when a change of the program changes visual vectors
SPEECH_METHOD = 1  # goes up when a change of the program changes how words become a vector


NO_PART_OF_A_MODEL = (".", "README", "LICENSE")  # beside weights: edited, nothing changes


def recipe_of(settings: Settings) -> Recipe:
    """The recipe that these settings ask for.

    Weights that lie in a folder or a file are known by their content, so that they may move; those
    of a hub by their name.

    Raises:
        SettingsError: weights that a setting names are not there.
    """
    clip = _clip_identity(settings)
    whisper = settings.whisper
    transcript = transcript_recipe(
        _whisper_identity(settings), whisper.language, whisper.vad, whisper.windows
    )
    return Recipe(
        visual=(
            f"clip {clip} frames={settings.clip.frames} sampling={settings.clip.sampling}"
            f" method={VISUAL_METHOD}"
        ),
        transcript=transcript,
        speech=f"clip {clip} text={settings.clip.transcript} method={SPEECH_METHOD}; {transcript}",
    )


def _clip_identity(settings: Settings) -> str:
    folder = settings.clip_folder
    if folder is not None:
        return f"local@{_content(folder, 'clip.model')}"
    name = settings.clip.model.replace("/", "-") if ":" not in settings.clip.model else None
    checkpoint = settings.clip_checkpoint
    if name is None:
        return settings.clip.model
    if checkpoint is not None:
        return f"{name}@{_content(checkpoint, 'clip.pretrained')}"
    return f"{name.removesuffix('-quickgelu')}@{settings.clip.pretrained}"


def _whisper_identity(settings: Settings) -> str:
    folder = settings.whisper_folder
    if folder is None:
        return f"{settings.whisper.model}@hub"
    return f"local@{_content(folder, 'whisper.model')}"


def _content(path: Path, setting: str) -> str:
    """BLAKE2b-64 of a file, or of the files of a folder."""
    digest = hashlib.blake2b(digest_size=8)
    try:
        if not path.exists():
            raise SettingsError(f"{setting}: {path} does not exist; correct the path")
        if path.is_file():
            return _add(digest, path).hexdigest()
        for file in sorted(path.iterdir()):
            if file.is_file() and not file.name.startswith(NO_PART_OF_A_MODEL):
                digest.update(file.name.encode("utf-8", "surrogateescape"))
                _add(digest, file)
    except OSError as error:
        raise SettingsError(f"{setting}: {path}: {error.strerror}") from error
    return digest.hexdigest()


def _add(digest: hashlib.blake2b, file: Path) -> hashlib.blake2b:
    stat = file.stat()
    digest.update(_sha256(file, (stat.st_ino, stat.st_size, stat.st_mtime_ns)))
    return digest


@lru_cache(maxsize=64)  # a process that answers many questions reads gigabytes of weights once
def _sha256(file: Path, _stamp: tuple[int, int, int]) -> bytes:
    """Of a file, read again when its stamp is another."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
