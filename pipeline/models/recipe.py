"""The recipe of a row: what its parts are made with, as text that a person can compare.

Devices and number types are left out, also that of Whisper's weights. They change a vector by less
than two different videos differ, and a word here and there that is hard to hear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from pipeline.errors import SettingsError
from pipeline.models.names import check_names
from pipeline.models.weights import missing_clip_files, missing_whisper_files
from pipeline.settings import Settings
from store.schema import Recipe

# Each goes up when a change of the program changes what it stands for; that part of every row is
# then made again. A translation is part of the transcript.
VISUAL_METHOD = 1
TRANSCRIPT_METHOD = 4
SPEECH_METHOD = 1
MOMENTS_METHOD = 1

NOT_WEIGHTS = (".", "README", "LICENSE")  # names of files beside weights that may change


def recipe_of(settings: Settings) -> Recipe:
    """Describe what these settings make rows with; imports no model library.

    Weights in a folder or a file are known by their content, so that they may move; those of a hub
    are known by their name.

    Args:
        settings: of the run.

    Raises:
        SettingsError: there is no such model, tag or language, or weights are not where a setting
            says.
    """
    check_names(settings)
    clip, whisper = _clip_identity(settings), settings.whisper
    language = " in=english" if settings.speech.text == "english" else ""
    transcript = (
        f"whisper {_whisper_identity(settings)} language={whisper.language}"
        f" vad={'on' if whisper.vad else 'off'} windows={whisper.windows}"
        f" method={TRANSCRIPT_METHOD}"
    )
    return Recipe(
        visual=(
            f"clip {clip} frames={settings.clip.frames} sampling={settings.clip.sampling}"
            f" method={VISUAL_METHOD}"
        ),
        transcript=transcript,
        speech=(
            f"clip {clip} text={settings.clip.transcript}{language} method={SPEECH_METHOD};"
            f" {transcript}"
        ),
    )


def moments_recipe_of(settings: Settings) -> str:
    """Describe what makes the moments of long videos; empty where none are wanted.

    Raises:
        SettingsError: as for `recipe_of`.
    """
    seconds = settings.clip.moments_seconds
    if not seconds:
        return ""
    return f"clip {_clip_identity(settings)} moments={seconds:g} method={MOMENTS_METHOD}"


def _clip_identity(settings: Settings) -> str:
    folder = settings.clip_folder
    if folder is not None:
        return f"local@{_content(folder, 'clip.model', missing_clip_files)}"
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
    return f"local@{_content(folder, 'whisper.model', missing_whisper_files)}"


def _content(
    path: Path, setting: str, missing_files: Callable[[Path], tuple[str, ...]] = lambda _: ()
) -> str:
    """Hash a file, or the files of a folder, with BLAKE2b; 64 bits, in hexadecimal."""
    digest = hashlib.blake2b(digest_size=8)
    try:
        if not path.exists():
            raise SettingsError(f"{setting}: {path} does not exist; correct the path")
        if missing := missing_files(path):
            raise SettingsError(f"{setting}: {path} has no {', '.join(missing)}; correct the path")
        if path.is_file():
            return _add(digest, path).hexdigest()
        for file in sorted(path.iterdir()):
            if file.is_file() and not file.name.startswith(NOT_WEIGHTS):
                digest.update(file.name.encode("utf-8", "surrogateescape"))
                _add(digest, file)
    except OSError as error:
        raise SettingsError(f"{setting}: {path}: {error.strerror}") from error
    return digest.hexdigest()


def _add(digest: hashlib.blake2b, file: Path) -> hashlib.blake2b:
    stat = file.stat()
    digest.update(_sha256(file, (stat.st_ino, stat.st_size, stat.st_mtime_ns)))
    return digest


@lru_cache(maxsize=64)  # so that a process that makes many recipes reads the weights once
def _sha256(file: Path, _stamp: tuple[int, int, int]) -> bytes:
    """Hash a file; a file with another stamp is read again."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
