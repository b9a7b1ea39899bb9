"""What a route takes and which call answers it; parameters are read and checked in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import orjson

from pipeline.source.names import is_utf8
from pipeline.web.answers import ApiError

Lane = Literal["store", "files", "model", "tools", "moves"]
"""Name of the threads, of `pool.Threads`, that a route's call runs in."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query or a field of a body.

    Args:
        read: checks a value and turns it into what the call takes; raises ValueError with what is
            allowed.
        text: what it means.
        default: what holds where it is not given; `...` where it has to be.
        repeatable: whether it may be given again, so that the call takes a tuple.
    """

    read: Callable[[Any], Any]
    text: str
    default: Any = None
    repeatable: bool = False


@dataclass(frozen=True)
class Route:
    """One route of the API.

    Args:
        method: of HTTP.
        path: with the parts in braces that the call takes as keywords.
        text: what it answers or does.
        call: takes the site, and each parameter by its name; it may block.
        query: parameters of the address.
        body: fields of the JSON body.
        lane: threads that the call runs in, or a choice of them by its parameters.
    """

    method: str
    path: str
    text: str
    call: Callable[..., Any]
    query: Mapping[str, Parameter] = field(default_factory=dict)
    body: Mapping[str, Parameter] = field(default_factory=dict)
    lane: Lane | Callable[[dict[str, Any]], Lane] = "store"


def read_query(route: Route, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Read the parameters of an address.

    Raises:
        ApiError: one is unknown, wrong, given twice, or missing.
    """
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    _refuse_unknown(given, route.query)
    for name, values in given.items():
        if len(values) > 1 and not route.query[name].repeatable:
            raise ApiError(400, f"{name} is given {len(values)} times; give it once")
    return _read(given, route.query, many=True)


def read_body(route: Route, raw: bytes) -> dict[str, Any]:
    """Read the fields of a JSON body.

    Raises:
        ApiError: it is no JSON object, or a field is unknown, wrong or missing.
    """
    try:
        given = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"the body is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise ApiError(400, "the body has to be a JSON object")
    _refuse_unknown(given, route.body)
    return _read(given, route.body, many=False)


def describe(route: Route) -> dict[str, Any]:
    """Describe a route for `GET /api`."""
    described: dict[str, Any] = {"method": route.method, "path": route.path, "text": route.text}
    for part in ("query", "body"):
        parameters: Mapping[str, Parameter] = getattr(route, part)
        described[part] = {
            name: {
                "text": each.text,
                "required": each.default is ...,
                "repeatable": each.repeatable,
            }
            for name, each in parameters.items()
        }
    return described


def text(value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    if "\0" in value or not is_utf8(value):
        raise ValueError("a text without NUL, in valid Unicode")
    return value


def flag(value: Any) -> bool:
    """Read `1` or `0`, or a JSON boolean."""
    known = {"1": True, "true": True, "0": False, "false": False}
    if isinstance(value, bool):
        return value
    if value not in known:
        raise ValueError("1 or 0")
    return known[value]


def number(value: Any) -> float:
    """Read a finite number from 0 on."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if isinstance(value, bool) or not 0 <= found < math.inf:
        raise ValueError("a finite number from 0 on")
    return found


def share(value: Any) -> float:
    """Read a number from 0 to 1."""
    found = number(value)
    if found > 1:
        raise ValueError("a number from 0 to 1")
    return found


def moment(value: Any) -> datetime:
    """Read a date, or a date with a time; in this machine's time zone where it names none."""
    try:
        when = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("a date like 2024-05-31") from None
    if not 1678 <= when.year <= 2261:
        raise ValueError("a date with a year from 1678 to 2261")
    return when.astimezone()


def choice(*allowed: str) -> Callable[[Any], str]:
    """Make a reader of one of some words."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(" or ".join(allowed))
        return str(value)

    return read


def count(least: int, most: int) -> Callable[[Any], int]:
    """Make a reader of whole numbers."""

    def read(value: Any) -> int:
        try:
            found = int(value)
        except (TypeError, ValueError):
            found = least - 1
        if isinstance(value, bool | float) or not least <= found <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return found

    return read


def texts(value: Any) -> tuple[str, ...]:
    """Read a JSON list of texts."""
    if not isinstance(value, list):
        raise ValueError("a list of texts")
    return tuple(text(each) for each in value)


def optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a reader that also takes null."""
    return lambda value: None if value is None else read(value)


def _refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Parameter]) -> None:
    for name in given:
        if name not in known:
            names = ", ".join(known) or "nothing"
            raise ApiError(400, f"{name[:50]!r} is not known here; this takes {names}")


def _read(
    given: Mapping[str, Any], known: Mapping[str, Parameter], *, many: bool
) -> dict[str, Any]:
    found = {}
    for name, parameter in known.items():
        if name not in given:
            if parameter.default is ...:
                raise ApiError(400, f"{name} is missing: {parameter.text}")
            found[name] = parameter.default
            continue
        try:
            values = tuple(parameter.read(each) for each in given[name]) if many else ()
            plain = values[0] if many else parameter.read(given[name])
            found[name] = values if parameter.repeatable else plain
        except ValueError as error:
            raise ApiError(400, f"{name} should be {error}") from error
    return found
