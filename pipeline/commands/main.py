"""The command line: `python run.py COMMAND`, or `video-vectors COMMAND` where it is installed.

Exit codes: 0 done, 1 an error, 2 wrong usage or settings, 130 interrupted.

All but the cheapest imports stand inside functions, so that Ctrl-C is handled before they begin.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def run_process() -> int:
    """Run the command line of this process; returns its exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is to be ignored
        signal.signal(signal.SIGINT, _leave)
        sys.unraisablehook = _leave_if_interrupted
    from pipeline.terminal import drop_unwritable, prepare_streams

    prepare_streams()
    try:
        return main()
    finally:
        drop_unwritable()


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: of the command line; None for those of this process.
    """
    from pipeline.errors import PipelineError, SettingsError
    from pipeline.terminal import say_error, set_voice
    from store.errors import StoreError

    as_json = False
    set_voice()
    try:
        options = _parse(sys.argv[1:] if arguments is None else arguments)
        as_json = options.log_format == "json"
        set_voice(as_json=as_json, is_quiet=options.verbosity < 0)
        return _run(options)
    except (PipelineError, StoreError) as error:
        say_error(str(error))
        return 2 if isinstance(error, SettingsError) else 1
    except BrokenPipeError:  # whoever reads the output has enough of it
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as bug:
        from traceback import format_exc

        if not as_json:
            raise
        say_error(repr(bug), level="critical", traceback=format_exc())
        return 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    from pipeline.commands.output import write
    from pipeline.commands.parser import parse
    from pipeline.errors import SettingsError

    if any("\0" in argument for argument in arguments):
        raise SettingsError("an argument contains a NUL character, which no file name can")
    try:
        return parse(arguments or ["--help"])
    except SystemExit:
        write("")  # help that could not be written is an error, too
        raise


def _run(options: argparse.Namespace) -> int:
    from importlib import import_module

    from pipeline.commands import WITHOUT_SETTINGS
    from pipeline.config import defaults, find, load

    if options.command in WITHOUT_SETTINGS:
        settings = defaults()
    else:
        settings = load(find(options.config), options.set)
    command = import_module(f"pipeline.commands.{options.command}")
    is_ours = signal.getsignal(signal.SIGINT) is _leave
    try:
        if is_ours:
            signal.signal(signal.SIGINT, _interrupt)
        code: int = command.run(settings, options)
        return code
    except Exception as error:
        if is_ours and signal.getsignal(signal.SIGINT) is _leave:
            raise KeyboardInterrupt from error  # a library made another exception of it
        raise
    finally:
        if is_ours:  # a run has handlers of its own
            signal.signal(signal.SIGINT, _leave)


def _interrupt(*_: object) -> None:
    """Unwind the command; a second Ctrl-C does not wait for that."""
    signal.signal(signal.SIGINT, _leave)
    raise KeyboardInterrupt


def _leave(*_: object) -> None:
    """End the process without a traceback of what is being imported; nothing is open."""
    os._exit(128 + signal.SIGINT)


def _leave_if_interrupted(ignored: sys.UnraisableHookArgs) -> None:
    """End the process where Ctrl-C came in a callback, which would only report and ignore it."""
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        _leave()
    sys.__unraisablehook__(ignored)
