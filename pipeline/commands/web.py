"""`web`: the page, to see, search and sort the collection in a browser."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pipeline.commands.flow_run import run_flow
from pipeline.commands.output import INTERRUPTED, write
from pipeline.terminal import say
from store import memory

if TYPE_CHECKING:
    from pipeline.flow.flow import Flow, Summary
    from pipeline.settings import Settings
    from pipeline.web.server import Page

HELP = "see, search and sort the collection in a browser"
EXAMPLE = "web --watch"
HOST, PORT = "127.0.0.1", 8321


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        default=HOST,
        metavar="NAME",
        help=f"address to serve at (default: {HOST}); any but this machine's own asks for a token",
    )
    parser.add_argument(
        "--port", type=int, default=PORT, metavar="N", help=f"default: {PORT}; 0: any free one"
    )
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument(
        "--watch", action="store_true", help="also embed videos as they land, as `watch` does"
    )
    parser.set_defaults(dir=None, engine=None, json=False)


def run(settings: Settings, options: argparse.Namespace) -> int:
    if options.watch:
        memory.share_heap()  # before Arrow and LanceDB come
    from pipeline.project import Project
    from pipeline.web.server import Page
    from pipeline.web.site import Site

    with Project.open(settings) as project, Site(project) as site:
        page = Page(site, options.host, options.port)
        write(f"{page.url}\n")
        say("Ctrl-C ends it.")
        if not options.no_browser:
            open_browser(page.url)
        if options.watch:
            run_flow(settings, options, lambda flow: _watch_and_serve(flow, page))
        else:
            with stopped_by_signals(page.stop):
                page.run()
    return 0


def _watch_and_serve(flow: Flow, page: Page) -> Summary:
    """Watch in this thread and serve in another; where one ends, the other does, too."""
    wrong: list[BaseException] = []

    def serve() -> None:
        try:
            page.run()
        except BaseException as error:  # noqa: BLE001 - raised below
            wrong.append(error)
        finally:
            flow.stop()

    serving = threading.Thread(target=serve, name="web page")
    serving.start()
    try:
        summary = flow.watch()
    finally:
        page.stop()
        serving.join()
    if wrong:
        raise wrong[0]
    return summary


def open_browser(url: str) -> None:
    """Open a page in the browser of the desktop, where there is one."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return  # a browser in the terminal would take it over
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first signal, and leave at once at the second."""
    is_stopping = False

    def handle(*_: object) -> None:
        nonlocal is_stopping
        if is_stopping:
            with suppress(OSError):
                os.write(2, b"\nStopped.\n")
            os._exit(INTERRUPTED)
        is_stopping = True
        threading.Thread(target=stop, daemon=True).start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
