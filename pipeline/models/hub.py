"""The hub of model weights, and its cache on this machine; the only module that asks it.

huggingface_hub reads its settings from the environment when it is imported: `HF_HOME` is where the
cache is, `HF_ENDPOINT` another hub or a mirror, `HF_TOKEN` an account, `HF_HUB_OFFLINE` says that
there is no network.
"""

from __future__ import annotations

import io
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pipeline.errors import ModelError
from pipeline.terminal import clock

T = TypeVar("T")

ANSWER_SECONDS = 4.0
"""Time that the hub has for its first answer, unless HF_HUB_ETAG_TIMEOUT gives another."""
LINE_SECONDS = 10.0  # between two lines of progress where there is no bar
NOT_SHOWN = (401, 403, 404)  # of a repository that is not there or private: the hub does not say


@dataclass(frozen=True)
class Wanted:
    """Files of a repository.

    Args:
        repository: `OWNER/NAME`.
        choices: names of the file with the weights; the first that is there is the one.
        beside: patterns of the files that belong to it.
    """

    repository: str
    choices: tuple[str, ...]
    beside: tuple[str, ...] = ()

    def of(self, names: Iterable[str], main: str) -> list[str]:
        """Choose the files that belong to the one with the weights, and put that one last."""
        beside = {name for name in names if any(fnmatch(name, each) for each in self.beside)}
        return [*sorted(beside - {main}), main]


def address(repository: str) -> str:
    """The page of a repository."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{repository}"


def cache_folder() -> Path:
    """The folder of the cache, which may not be there yet."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def cached(wanted: Wanted) -> Path | None:
    """Find the file with the weights in the cache; asks no hub."""
    from huggingface_hub import try_to_load_from_cache

    found = (try_to_load_from_cache(wanted.repository, name) for name in wanted.choices)
    return next((Path(each) for each in found if isinstance(each, str)), None)


def cached_files(wanted: Wanted) -> list[Path]:
    """List the files of the cache that were wanted, the one with the weights last."""
    main = cached(wanted)
    if main is None:
        return []
    return [main.with_name(name) for name in wanted.of(os.listdir(main.parent), main.name)]


def list_files(wanted: Wanted) -> dict[str, int]:
    """Ask the hub for the files to fetch and their sizes in bytes, with one attempt to connect.

    Args:
        wanted: which; the file with the weights comes last.

    Raises:
        ModelError: the hub cannot be reached or does not have them; the first line says why.
    """
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_DISABLE_TELEMETRY = True  # it would ask the hub something else first
    limit = ANSWER_SECONDS
    if constants.HF_HUB_ETAG_TIMEOUT != constants.DEFAULT_ETAG_TIMEOUT:
        limit = constants.HF_HUB_ETAG_TIMEOUT
    try:
        info = _within(
            limit,
            lambda: HfApi().model_info(wanted.repository, files_metadata=True, timeout=limit + 1),
        )
    except Exception as error:  # whatever a client, a proxy or a page that is no hub's raises
        raise ModelError(_why(wanted, error)) from error
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    main = next((name for name in wanted.choices if name in sizes), None)
    if main is None:
        raise ModelError(f"{address(wanted.repository)} has no {' or '.join(wanted.choices)}")
    return {name: sizes[name] for name in wanted.of(sizes, main)}


def check_room(nbytes: int) -> None:
    """Make sure that the disk of the cache holds so many bytes more.

    Raises:
        ModelError: it does not.
    """
    folder = cache_folder()
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if free < nbytes:
        raise ModelError(
            f"{folder}: {megabytes(nbytes)} are needed, and {megabytes(free)} are free; make room,"
            " or set HF_HOME to a folder on another disk"
        )


def download(
    wanted: Wanted, names: Mapping[str, int], say: Callable[[str], None], *, bar: bool
) -> None:
    """Fetch files into the cache, each whole or not at all.

    Args:
        wanted: of which repository.
        names: of the files, as `list_files` gives them.
        say: is given a line every few seconds where there is no bar.
        bar: show a bar on stderr.

    Raises:
        ModelError: the connection broke, or the cache cannot be written.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    for name in names:
        try:
            hf_hub_download(wanted.repository, name, tqdm_class=_progress(name, say, bar=bar))
        except Exception as error:  # as above, and what the disk raises
            if isinstance(error, OSError) and error.errno and not isinstance(error, HfHubHTTPError):
                text = f"cannot be written: {error.strerror}"
                advice = "make room or allow it, or set HF_HOME to another folder"
                raise ModelError(f"{cache_folder()}: {text}; {advice}") from error
            text = f"fetching {name} from {address(wanted.repository)} broke off"
            raise ModelError(
                f"{text}: {_reason(error.__cause__ or error)}; run it again to go on"
            ) from error


def megabytes(nbytes: int) -> str:
    """Format a size as `605 MB` or `3.1 GB`."""
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"


def quiet() -> None:
    """Take away the handler that huggingface_hub makes, and leave its log to the root logger."""
    from huggingface_hub.utils import logging

    logging.get_logger().handlers.clear()


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Call in a thread that is left behind after some time.

    The time limit of a connection holds for each address of a name, and not for the name itself: a
    network that drops packets takes half a minute and more.

    Raises:
        TimeoutError: it takes longer.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - `result` raises it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="hub").start()
    try:
        return future.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds:g} s") from None


def _why(wanted: Wanted, error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in NOT_SHOWN:
        return (
            f"{address(wanted.repository)} is not there, or only for an account that may read it"
            f" (the hub answers {status}): correct the name, or set HF_TOKEN"
        )
    from huggingface_hub import constants

    return f"the hub {constants.ENDPOINT} cannot be reached: {_reason(error)}"


def _reason(error: BaseException) -> str:
    """Say in a line why the hub did not answer as it should."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    response = getattr(error, "response", None)
    if response is not None:
        return f"it answers {response.status_code} {response.reason_phrase}"
    text = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    if isinstance(error, ValueError):
        text = "what answers there is no model hub"
    url = urlsplit(constants.ENDPOINT)
    proxy = None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)
    return (
        f"{text} (through the proxy {urlsplit(proxy).netloc.rpartition('@')[2]})" if proxy else text
    )


def _progress(name: str, say: Callable[[str], None], *, bar: bool) -> Any:
    """Make a class that shows how far a file is, for huggingface_hub's parameter `tqdm_class`."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    lines = {"disable": False, "file": io.StringIO(), "mininterval": LINE_SECONDS}

    class Progress(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options |= {"desc": name} if bar else lines
            super().__init__(*args, **options)  # type: ignore[no-untyped-call]

        def display(self, *args: Any, **options: Any) -> None:
            if bar:
                super().display(*args, **options)
                return
            facts = self.format_dict
            done, total, rate = facts["n"], facts["total"], facts["rate"]
            if total and rate and 0 < done < total:
                left = clock((total - done) / rate)
                say(f"{name}: {megabytes(done)} of {megabytes(total)}, {left} left")

    return Progress
