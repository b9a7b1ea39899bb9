"""config.toml -> frozen, validated settings.

The defaults stand here and, with comments for the reader, in config.toml; a test holds the two
together. Every error names the key, the value and what is allowed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.errors import SettingsError

LOCAL_DIR = "local-dir:"
_PATH_MARK = re.compile(r"[./\\]")

Text = Annotated[str, Field(min_length=1)]
Precision = Literal["float32", "float16", "bfloat16"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataSettings(_Section):
    dir: Text = "data/Favorites/videos"
    extensions: Annotated[list[Text], Field(min_length=1)] = [
        "mp4", "m4v", "mov", "mkv", "webm", "avi",
    ]  # fmt: skip

    @field_validator("extensions")
    @classmethod
    def _plain(cls, extensions: list[str]) -> list[str]:
        return [extension.lower().lstrip(".") for extension in extensions]


class StoreSettings(_Section):
    uri: Text = "data/store"
    max_vanished: Annotated[float, Field(ge=0, le=1)] = 0.2


class ExportSettings(_Section):
    dir: Text = "artifacts"


class ClipSettings(_Section):
    model: Text = "ViT-B/32"
    pretrained: Text = "openai"
    frames: Annotated[int, Field(ge=1, le=1000)] = 5
    transcript: Literal["whole", "first_window"] = "whole"
    batch_frames: Annotated[int, Field(ge=1, le=4096)] = 64


class WhisperSettings(_Section):
    model: Text = "base"
    language: Annotated[str, Field(pattern=r"^(auto|[a-z]{2,3})$")] = "auto"
    vad: bool = True


class PrecisionSettings(_Section):
    cuda: Precision = "float16"
    mps: Precision = "float32"
    cpu: Precision = "float32"


class DecodeSettings(_Section):
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    max_megapixels: Annotated[float, Field(gt=0)] = 100.0


class QueueSettings(_Section):
    items: Annotated[int, Field(ge=1)] = 32
    megabytes: Annotated[int, Field(ge=1)] = 512


class WatchSettings(_Section):
    settle_seconds: Annotated[float, Field(gt=0)] = 2.0
    rescan_seconds: Annotated[float, Field(gt=0)] = 300.0


class Settings(_Section):
    """All settings. `base` is the folder that relative paths start from."""

    base: Annotated[Path, Field(exclude=True)]
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    data: DataSettings = DataSettings()
    store: StoreSettings = StoreSettings()
    export: ExportSettings = ExportSettings()
    clip: ClipSettings = ClipSettings()
    whisper: WhisperSettings = WhisperSettings()
    precision: PrecisionSettings = PrecisionSettings()
    decode: DecodeSettings = DecodeSettings()
    queue: QueueSettings = QueueSettings()
    watch: WatchSettings = WatchSettings()

    def path(self, written: str) -> Path:
        """Where a path of the settings is: relative ones start at the config file."""
        return self.base / Path(written).expanduser()

    @property
    def store_uri(self) -> str:
        """The store's URI; a local folder as an absolute path."""
        return self.store.uri if "://" in self.store.uri else str(self.path(self.store.uri))

    @property
    def clip_folder(self) -> Path | None:
        """The folder of `clip.model = "local-dir:FOLDER"`; None where it names a model."""
        if not self.clip.model.startswith(LOCAL_DIR):
            return None
        return self.path(self.clip.model.removeprefix(LOCAL_DIR))

    @property
    def clip_checkpoint(self) -> Path | None:
        """The file of `clip.pretrained`; None where it is a tag. Tags have no dot and no slash."""
        return self.path(self.clip.pretrained) if _PATH_MARK.search(self.clip.pretrained) else None

    @property
    def whisper_folder(self) -> Path | None:
        """The folder of `whisper.model`; None where it is the name of a model or of a repository
        on the hub (`owner/name`)."""
        path = self.path(self.whisper.model)
        named = self.whisper.model.startswith((".", "/", "~")) or "\\" in self.whisper.model
        return path if named or path.is_dir() else None


def load(file: Path, overrides: Sequence[str] = ()) -> Settings:
    """Read settings from a TOML file, then apply `section.key=value` overrides.

    Raises:
        SettingsError: the file cannot be read, or a key or value is wrong.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: is not valid TOML: {error}") from error
    sources: dict[str, str] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set {override}: write it as section.key=value")
        _put(values, key.strip(), value.strip())
        sources[key.strip()] = f"--set {override}"
    if "base" in values:
        raise SettingsError(f"{file}: base: there is no such setting")
    try:
        return Settings(base=file.resolve().parent, **values)
    except ValidationError as error:
        raise SettingsError(_explain(error, file, sources)) from error


def _put(values: dict[str, Any], key: str, written: str) -> None:
    *sections, name = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SettingsError(f"--set {key}={written}: {section} is not a section")
    values[name] = _parse(key, written)


def _parse(key: str, written: str) -> Any:
    """A value as TOML reads it; bare words, and numbers where text is wanted, are text."""
    try:
        value = tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return written
    return written if _wants_text(key) and not isinstance(value, str) else value


def _wants_text(key: str) -> bool:
    model: Any = Settings
    for name in key.split("."):
        fields = getattr(model, "model_fields", {})
        if name not in fields:
            return False
        model = fields[name].annotation
    return model is str


def _explain(error: ValidationError, file: Path, sources: dict[str, str]) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        source = sources.get(key, str(file))
        if problem["type"] == "extra_forbidden":
            lines.append(f"{source}: {key}: there is no such setting; {_known_keys(key)}")
        else:
            allowed = problem["msg"].replace("Input should", "it should")
            lines.append(f"{source}: {key} = {problem['input']!r}: {allowed}")
    return "\n".join(lines)


def _known_keys(key: str) -> str:
    section = Settings.model_fields.get(key.partition(".")[0])
    fields = getattr(section.annotation, "model_fields", {}) if section else Settings.model_fields
    return "known: " + ", ".join(name for name in fields if name != "base")
