"""Settings: config.toml and `--set` flags, validated and frozen.

Defaults stand here and, with comments for the reader, in config.toml; a test holds the two equal.
Every error names the key, the value and what is allowed.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from pipeline.errors import SettingsError
from pipeline.terminal import nearest

LOCAL_DIR = "local-dir:"
CONFIG_VARIABLE = "VIDEO_VECTORS_CONFIG"
OWN_CONFIG = Path(__file__).resolve().parents[1] / "config.toml"
_NOT_TOML = (ValueError, RecursionError)  # also of bytes, numbers and nesting beyond any sense
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


@dataclass(frozen=True)
class Origin:
    """A setting in force.

    Args:
        key: `section.name`.
        value: that holds.
        source: the flag or the file that set it, or `default`.
    """

    key: str
    value: Any
    source: str


def find(named: Path | None) -> Path:
    """The configuration to read: the one that is named, or the first that exists.

    These are `$VIDEO_VECTORS_CONFIG`, `config.toml` in the working folder, and the program's own.
    """
    if named is not None:
        return named
    if chosen := os.environ.get(CONFIG_VARIABLE):
        return Path(chosen)
    here = Path("config.toml")
    return here if os.path.lexists(here) else OWN_CONFIG


def load(file: Path, overrides: Sequence[str] = ()) -> Settings:
    """Read settings from a TOML file, then apply overrides.

    Args:
        file: its folder is where relative paths start.
        overrides: each `section.key=value`; of equal keys the last one counts.

    Raises:
        SettingsError: the file cannot be read, or a key or value is wrong.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except _NOT_TOML as error:
        raise SettingsError(f"{file}: is not valid TOML: {error}") from error
    sources: dict[str, str] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set {override}: write it as section.key=value")
        _put(values, key.strip(), value.strip())
        sources[key.strip()] = f"--set {override}"
    if "base" in values:
        source = _source("base", sources) or file
        raise SettingsError(f"{source}: {_unknown('base')}")
    try:
        return Settings(base=Path(os.path.realpath(file)).parent, **values)
    except ValidationError as error:
        raise SettingsError(_explain(error, file, sources)) from error


def defaults() -> Settings:
    """Settings that nobody has changed; relative paths start in the working folder."""
    return Settings(base=Path.cwd())


def origins(settings: Settings, file: Path, overrides: Sequence[str]) -> Iterator[Origin]:
    """Say of each setting in force where it comes from.

    Args:
        settings: that `load` made of the other two.
        file: that was read.
        overrides: as for `load`.
    """
    written = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    flags = {each.partition("=")[0].strip(): f"--set {each}" for each in overrides}
    for section, value in settings.model_dump().items():
        named = value if isinstance(value, dict) else {"": value}
        for name, each in named.items():
            key = f"{section}.{name}" if name else section
            there = written.get(section, {}) if name else written
            is_written = (name or section) in there
            yield Origin(key, each, _source(key, flags) or (str(file) if is_written else "default"))


def _put(values: dict[str, Any], key: str, written: str) -> None:
    *sections, name = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SettingsError(f"--set {key}={written}: {section} is not a section")
    values[name] = _parse(key, written)


def _parse(key: str, written: str) -> Any:
    """Read a value as TOML; bare words, and numbers for a setting that is text, are text."""
    try:
        parsed = tomllib.loads(f"value = {written}")
    except _NOT_TOML:
        return written
    value = parsed["value"] if len(parsed) == 1 else written
    field = _field(key)
    wants_text = field is not None and field.annotation is str
    return written if wants_text and not isinstance(value, str) else value


def _field(key: str) -> FieldInfo | None:
    """Field of a setting, or of the setting that a longer key leads into; None if unknown."""
    model: Any = Settings
    field: FieldInfo | None = None
    for name in key.split("."):
        fields = getattr(model, "model_fields", None)
        if not fields:
            break
        field = fields.get(name)
        model = field.annotation if field else None
    return field


def _explain(error: ValidationError, file: Path, sources: dict[str, str]) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        source = _source(key, sources) or str(file)
        if problem["type"] == "extra_forbidden":
            lines.append(f"{source}: {_unknown(key)}")
        elif key.startswith("store.options"):  # what is wrong with it may be that it is a secret
            source = source.partition("=")[0]
            lines.append(f"{source}: store.options: it should be {_allowed('store.options')}")
        else:
            lines.append(f"{source}: {key} = {problem['input']!r}: it should be {_allowed(key)}")
    return "\n".join(lines)


def _unknown(key: str) -> str:
    """Say that there is no such setting, and what may be meant: in its section, or in another."""
    section, _, name = key.rpartition(".")
    meant: list[str] = []
    for places in ([section], _names_in("")):
        near = nearest(name, [each for place in places for each in _names_in(place)])
        meant = meant or [f"{p}.{near}".lstrip(".") for p in places if near in _names_in(p)]
    hint = f"did you mean {' or '.join(meant)}?" if meant else _known_keys(section)
    return f"{key}: there is no such setting; {hint}"


def _source(key: str, sources: dict[str, str]) -> str | None:
    """The last flag that set a key, a part of it, or a section around it."""
    for overridden, source in reversed(sources.items()):
        shorter, longer = sorted((overridden, key), key=len)
        if f"{longer}.".startswith(f"{shorter}."):
            return source
    return None


def _allowed(key: str) -> str:
    field = _field(key)
    if field is not None and get_origin(field.annotation) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(field.annotation))
    described = field.description if field else None
    return described or f"a section; {_known_keys(key)}"


def _known_keys(key: str) -> str:
    section = key.partition(".")[0]
    return "known: " + ", ".join(_names_in(section) or _names_in(""))


def _names_in(section: str) -> list[str]:
    """Names of the settings in a section; of sections and settings in none for the empty name."""
    model: Any = Settings
    if section:
        field = Settings.model_fields.get(section)
        model = field.annotation if field else None
    return [name for name in getattr(model, "model_fields", ()) if name != "base"]
