"""Starts Ray on this machine, or joins a cluster that is there.

One that the program starts is for this run and this user alone: it listens on the loopback
interface, takes a random token only, has no dashboard, reports nothing to anybody, and its folder
goes with it. Ray's own defaults do none of that.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, SettingsError
from pipeline.isolation import KILLED_SECONDS
from pipeline.models.devices import usable_cores
from pipeline.settings import Settings

INSTALL = "pip install -e '.[cluster]'"
SHARE_OF_STORE = 0.4  # of the object stores, for videos that wait; the rest is for those in hand
LEAST_STORE_BYTES = 256 << 20
SHARED_MEMORY = Path("/dev/shm")

_PREFIX = "vv-ray-"
_LONGEST_BASE = 40  # bytes of the temporary folder; Ray's sockets below it may have 107 in all
_ANSWER_SECONDS = 10.0
_ONE_TRY = {"RAY_gcs_server_port_wait_time_s": "1"}  # whoever is refused is refused 20 times
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # of calls for whose answer nobody waits any more
}


@contextmanager
def ray_session(settings: Settings) -> Iterator[Any]:
    """Be a driver of Ray inside the `with` block.

    Begin it before LanceDB is imported: starting a cluster forks this process, and LanceDB's
    threads do not survive that.

    Args:
        settings: `ray.address` names the cluster; where it is empty, one is started and stopped.

    Yields:
        The package `ray`.

    Raises:
        SettingsError: Ray is not installed.
        PipelineError: the cluster cannot be started or joined.
    """
    address = settings.ray.address
    with _joined(address) if address else _started(settings) as options, _signals_kept():
        ray = import_ray()
        try:
            ray.init(log_to_driver=False, configure_logging=False, **options)
        except Exception as error:  # Ray raises bare ones, as where starting takes it 30 s
            reason = str(error).strip().partition("\n")[0]
            if not address:
                raise PipelineError(f"Ray does not start: {reason}") from error
            raise PipelineError(
                f"ray.address = {address}: cannot be joined: {reason}; see that RAY_AUTH_MODE and"
                " RAY_AUTH_TOKEN are as it was started with"
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def end_at_once() -> None:
    """End the cluster that this process started, without asking it, and remove its folder."""
    import psutil  # Ray brings it along

    processes = psutil.Process().children(recursive=True)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=KILLED_SECONDS)
    for folder in _base().glob(f"{_PREFIX}{os.getpid()}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def import_ray() -> Any:
    """Import Ray.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        import ray
        from ray._private import worker
    except ImportError as error:
        raise SettingsError(f"engine.name = ray: Ray is not installed; run: {INSTALL}") from error
    # Else what a raylet says of an actor that died goes to stdout, `log_to_driver` or not.
    worker.print_to_stdstream = lambda *_, **__: None
    return ray


@contextmanager
def _joined(address: str) -> Iterator[dict[str, Any]]:
    host, _, port = address.rpartition(":")
    try:
        if host:  # Ray itself tries for minutes
            socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise PipelineError(
            f"ray.address = {address}: cannot be joined: no cluster answers there ({error})"
        ) from error
    with _environment(_QUIET | _ONE_TRY):
        yield {"address": address}


@contextmanager
def _started(settings: Settings) -> Iterator[dict[str, Any]]:
    """Give the options of a cluster of its own, and remove what it left."""
    closed = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32),
        # Where other machines cannot join, Ray listens on the loopback interface only. By itself it
        # does so on Windows and macOS.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    with _scratch() as folder, _environment(_QUIET | closed):
        yield {
            "_temp_dir": str(folder),
            "include_dashboard": False,
            "num_cpus": usable_cores(),
            "object_store_memory": _store_bytes(settings),
        }


def _store_bytes(settings: Settings) -> int:
    """Size of the object store: videos that wait fill a share of it."""
    wanted = max(int((settings.queue.megabytes << 20) / SHARE_OF_STORE), LEAST_STORE_BYTES)
    room = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.exists() else wanted
    return max(min(wanted, int(0.9 * room)), LEAST_STORE_BYTES)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Make a folder for this run, and remove it with those that killed runs left."""
    for left in _base().glob(f"{_PREFIX}*"):
        if not _runs(left):
            shutil.rmtree(left, ignore_errors=True)  # of another user, where it cannot be removed
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_base()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _base() -> Path:
    """Folder for those of runs, with a name as short as Ray's sockets need it."""
    folder = tempfile.gettempdir()
    return Path(folder if len(os.fsencode(folder)) <= _LONGEST_BASE else "/tmp")


def _runs(folder: Path) -> bool:
    """Whether the process that made a folder still runs."""
    number = re.match(rf"{_PREFIX}(\d+)-", folder.name)
    try:
        os.kill(int(number[1]) if number else 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Take back the handler of SIGTERM that Ray sets, which would end the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
