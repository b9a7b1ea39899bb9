"""The configuration: which file holds, what it and `--set` flags say, and what is wrong with it.

Every error names the file or flag, the key, the value and what is allowed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pipeline.errors import SettingsError
from pipeline.settings import Settings
from pipeline.terminal import nearest

CONFIG_VARIABLE = "VIDEO_VECTORS_CONFIG"
OWN_CONFIG = Path(__file__).resolve().parents[1] / "config.toml"
_NOT_TOML = (ValueError, RecursionError)  # also of bytes, numbers and nesting beyond any sense


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
