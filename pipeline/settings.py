"""Every setting with its default, checked when it is made, and frozen.

The defaults stand here and, with comments for the reader, in config.toml; a test holds the two
equal. `config` finds and reads such a file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

LOCAL_DIR = "local-dir:"
_SECRET = re.compile(r"secret|password|token|credential|(access|account|api|_)_?key", re.I)
_PATH_MARK = re.compile(r"[./\\]")


def _check_home(text: str) -> str:
    try:
        Path(text.removeprefix(LOCAL_DIR)).expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    return text


# The description of a type says what is allowed; errors quote it.
Text = Annotated[str, Field(pattern=r"^[^\x00]+$", description="text in UTF-8 that is not empty")]
PathText = Annotated[
    Text,
    AfterValidator(_check_home),
    Field(description='a path or a name in UTF-8, not empty; "~NAME" only of a user there is'),
]
Switch = Annotated[bool, Field(description="true or false")]
Share = Annotated[float, Field(ge=0, le=1, description="a number from 0 to 1")]
Positive = Annotated[float, Field(gt=0, description="a finite number above 0")]
Seconds = Annotated[
    float, Field(gt=0, le=1e9, description="a finite number above 0, and not above 1e9")
]
Count = Annotated[int, Field(ge=1, description="a whole number of at least 1")]
Number = Annotated[
    int, Field(ge=0, le=10_000, description="a whole number from 0 (chosen) to 10000")
]
Precision = Literal["float32", "float16", "bfloat16"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataSettings(_Section):
    dir: PathText = "data/Favorites/videos"
    extensions: Annotated[
        list[Text],
        Field(min_length=1, description='a list of file name endings, such as ["mp4", "mov"]'),
    ] = ["mp4", "m4v", "mov", "mkv", "webm", "avi"]

    @field_validator("extensions")
    @classmethod
    def _plain(cls, extensions: list[str]) -> list[str]:
        plain = [extension.lower().lstrip(".") for extension in extensions]
        if not all(re.fullmatch(r"[^\s./\\]+", extension) for extension in plain):
            raise ValueError("not the ending of a file name")
        return plain


class StoreSettings(_Section):
    uri: PathText = "data/store"
    options: Annotated[
        dict[str, str | bool | int],
        Field(
            description="names and values of LanceDB's storage_options; keys and tokens come from"
            " the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ),
    ] = {}
    max_vanished: Share = 0.2

    @field_validator("options")
    @classmethod
    def _without_secrets(cls, options: dict[str, str | bool | int]) -> dict[str, str | bool | int]:
        if any(_SECRET.search(name) for name in options):
            raise ValueError("a secret does not belong in a file")
        return options


class ExportSettings(_Section):
    dir: PathText = "artifacts"


class ClipSettings(_Section):
    model: PathText = "ViT-B/32"
    pretrained: PathText = "openai"
    frames: Annotated[int, Field(ge=1, le=1000, description="a whole number from 1 to 1000")] = 5
    sampling: Literal["exact", "keyframes"] = "exact"
    transcript: Literal["whole", "first_window"] = "whole"
    moments_seconds: Annotated[
        float, Field(ge=0, le=1e9, description="a number from 0 (none) to 1e9")
    ] = 10.0
    batch_frames: Annotated[
        int, Field(ge=1, le=4096, description="a whole number from 1 to 4096")
    ] = 64


class WhisperSettings(_Section):
    model: PathText = "base"
    language: Annotated[
        str,
        Field(
            pattern=r"^(auto|[a-z]{2,3})$",
            description='"auto", or the code of a language, such as "en"',
        ),
    ] = "auto"
    vad: Switch = True
    windows: Literal["fitted", "full"] = "fitted"
    weights: Literal["auto", "int8", "float"] = "auto"


class SpeechSettings(_Section):
    text: Literal["transcript", "english"] = "transcript"


class PrecisionSettings(_Section):
    cuda: Precision = "float16"
    mps: Precision = "float32"
    cpu: Literal["auto", "float32", "float16", "bfloat16"] = "auto"


class DecodeSettings(_Section):
    workers: Annotated[int, Field(ge=0, le=256, description="a whole number from 0 to 256")] = 0
    timeout_seconds: Seconds = 60.0
    max_megapixels: Positive = 100.0


class QueueSettings(_Section):
    items: Count = 32
    megabytes: Count = 512


class EngineSettings(_Section):
    name: Literal["local", "ray"] = "local"


class RaySettings(_Section):
    address: Annotated[
        str,
        Field(
            pattern=r"^(|auto|[^\s:/]+:[0-9]{1,5})$",
            description='"" (start one on this machine), "auto", or HOST:PORT of a cluster',
        ),
    ] = ""
    data_dir: Annotated[
        str, Field(pattern=r"^(|/[^\x00]*)$", description='"", or an absolute path on the nodes')
    ] = ""
    decoders: Number = 0
    embedders: Number = 0
    embedder_cores: Number = 0
    embedder_gpus: Annotated[float, Field(ge=0, le=64, description="a number from 0 to 64")] = 0.0


class WatchSettings(_Section):
    settle_seconds: Seconds = 2.0
    rescan_seconds: Seconds = 300.0


class Settings(_Section):
    """All settings; relative paths among them start at `base`, the folder of the config file."""

    base: Annotated[Path, Field(exclude=True)]
    device: Annotated[
        str,
        Field(
            pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$",
            description='"auto", "cpu", "mps", "cuda", or one of several, such as "cuda:1"',
        ),
    ] = "auto"
    data: DataSettings = DataSettings()
    store: StoreSettings = StoreSettings()
    export: ExportSettings = ExportSettings()
    clip: ClipSettings = ClipSettings()
    whisper: WhisperSettings = WhisperSettings()
    speech: SpeechSettings = SpeechSettings()
    precision: PrecisionSettings = PrecisionSettings()
    decode: DecodeSettings = DecodeSettings()
    queue: QueueSettings = QueueSettings()
    watch: WatchSettings = WatchSettings()
    engine: EngineSettings = EngineSettings()
    ray: RaySettings = RaySettings()

    def path(self, written: str) -> Path:
        """Resolve a path as a setting writes it, relative to the config file."""
        return self.base / Path(written).expanduser()

    @property
    def store_uri(self) -> str:
        """URI of the store; a local folder as an absolute path."""
        return self.store.uri if "://" in self.store.uri else str(self.path(self.store.uri))

    @property
    def store_options(self) -> dict[str, str]:
        """`store.options` as LanceDB takes them: texts."""
        plain = {True: "true", False: "false"}
        return {
            name: plain[value] if isinstance(value, bool) else str(value)
            for name, value in self.store.options.items()
        }

    @property
    def clip_folder(self) -> Path | None:
        """Folder of `clip.model = "local-dir:FOLDER"`; None where the setting names a model."""
        if not self.clip.model.startswith(LOCAL_DIR):
            return None
        return self.path(self.clip.model.removeprefix(LOCAL_DIR))

    @property
    def clip_checkpoint(self) -> Path | None:
        """File of `clip.pretrained`; None where it is a tag, which has no dot and no slash."""
        return self.path(self.clip.pretrained) if _PATH_MARK.search(self.clip.pretrained) else None

    @property
    def whisper_folder(self) -> Path | None:
        """Folder of `whisper.model`; None for the name of a model or a hub's repository."""
        path = self.path(self.whisper.model)
        named = self.whisper.model.startswith((".", "/", "~")) or "\\" in self.whisper.model
        return path if named or os.path.isdir(path) else None
