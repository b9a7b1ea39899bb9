"""Answers as JSON, and what goes wrong as a status and a sentence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.errors import ModelError, PipelineError, SettingsError
from store.errors import StoreBusyError, StoreError

if TYPE_CHECKING:
    from starlette.responses import Response

log = logging.getLogger(__name__)

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS

BUG = "this is a bug; the terminal in which `web` runs has the details"


class ApiError(Exception):
    """A request that cannot be answered.

    Args:
        status: of HTTP.
        text: what is wrong and what to do.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class NotReadyError(Exception):
    """An answer that is not ready yet; whoever asked asks again.

    Args:
        text: what is being done, a sentence.
    """


def answer(content: Any) -> Response:
    """Make the response of an answer: dataclasses, lists, dicts, numpy arrays."""
    return _json(content, 200)


def failed(status: int, text: str) -> Response:
    """Make the response of an error, in a sentence that begins with a word of ours."""
    return _failed(status, text[:1].upper() + text[1:])


def _failed(status: int, text: str) -> Response:
    return _json({"error": text}, status)


def failed_with(error: Exception) -> Response:
    """Make the response of an exception; one that is no error of ours is a bug, and logged."""
    if isinstance(error, NotReadyError):
        return _json({"waiting": str(error)}, 202, {"retry-after": "1"})
    if isinstance(error, ApiError):
        return failed(error.status, str(error))
    if isinstance(error, StoreBusyError):
        return _failed(409, str(error))
    if isinstance(error, StoreError | ModelError):
        return _failed(503, str(error))
    if isinstance(error, SettingsError):
        return _failed(400, str(error))
    if isinstance(error, PipelineError):
        return _failed(409, str(error))
    log.error("a request failed", exc_info=error)
    return _failed(500, f"{type(error).__name__}: {BUG}")


def _json(content: Any, status: int, more: Mapping[str, str] | None = None) -> Response:
    from starlette.responses import Response

    body = orjson.dumps(content, option=_OPTIONS)
    headers = {"cache-control": "no-store", **(more or {})}
    return Response(body, status, headers, media_type="application/json")
