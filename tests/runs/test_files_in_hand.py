"""What happens to a file while a thread has it in hand harms neither it nor its copies."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.flow.claims import Claims
from pipeline.models.clip import ClipEncoder
from pipeline.outcomes import Reused
from pipeline.records import DecodedVideo, EmbeddedVideo, Frames, Task, VideoFile
from tests.support.flows import HeldUp, Tally, failures, opened, rows, watching
from tests.support.projects import UserProject, distinct_copy, eventually
from tests.support.threads import PATIENCE

Made = Callable[[str], Path]


class Gate:
    """Holds up the first threads that come, until it is opened."""

    def __init__(self, threads: int = 1) -> None:
        self._held = threading.Semaphore(threads)
        self._missing = threading.Barrier(threads + 1)
        self._open = threading.Event()

    def __call__(self) -> None:
        if self._held.acquire(blocking=False):
            self._missing.wait(PATIENCE)
            assert self._open.wait(PATIENCE)

    def wait(self) -> None:
        """Wait until these threads are held up."""
        self._missing.wait(PATIENCE)

    def open(self) -> None:
        self._open.set()


class Waiting(threading.Event):
    """Set once a file waits for the first one that is to be embedded."""

    first: VideoFile | None = None


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    event, claim = Waiting(), Claims.claim

    def noted(self: Claims, file: VideoFile, content: str) -> Task | Reused | None:
        claimed = claim(self, file, content)
        if claimed is None:
            event.set()
        else:
            event.first = event.first or file
        return claimed

    monkeypatch.setattr(Claims, "claim", noted)
    return event


def land(project: UserProject, clip_file: Path, name: str) -> Path:
    """A file that comes whole: copied beside the videos, and renamed."""
    beside = project.folder / "landing"
    beside.write_bytes(clip_file.read_bytes())
    (project.videos / name).parent.mkdir(exist_ok=True)
    return beside.replace(project.videos / name)


def test_a_file_that_is_sorted_into_a_folder_while_it_is_in_hand_is_embedded_there(
    project: UserProject, small_clip: ClipEncoder, made: Made, waiting: Waiting
) -> None:
    gate, report = Gate(), Tally()
    with watching(project, HeldUp(small_clip, decodes=gate), report):
        file = land(project, made("no_audio.mp4"), "new.mp4")
        gate.wait()
        (project.videos / "pets").mkdir()
        file.rename(project.videos / "pets" / "new.mp4")
        assert waiting.wait(PATIENCE)
        gate.open()
        eventually(lambda: list(rows(project)) == ["pets/new.mp4"])
        eventually(lambda: report.ended == report.expected == 2)
    assert failures(project) == {}


@pytest.mark.parametrize("held", ["decodes", "embeds"])
def test_a_file_that_is_written_over_while_it_is_in_hand_takes_nothing_from_its_copy(
    project: UserProject, small_clip: ClipEncoder, made: Made, waiting: Waiting, held: str
) -> None:
    """Nor lends it the vectors of its new bytes, when its old ones were decoded already."""
    gate, report = Gate(), Tally()
    with watching(project, HeldUp(small_clip, **{held: gate}), report):
        land(project, made("no_audio.mp4"), "a.mp4")
        gate.wait()
        land(project, made("no_audio.mp4"), "copy.mp4")
        assert waiting.wait(PATIENCE)
        land(project, made("portrait.mp4"), "a.mp4")
        if held == "embeds":
            eventually(lambda: report.expected == 3)
        gate.open()
        eventually(lambda: widths(project) == {"a.mp4": 120, "copy.mp4": 160})
        eventually(lambda: report.ended == report.expected == 3)
    assert failures(project) == {}


def test_a_scan_embeds_the_copy_of_a_file_that_went_away(
    project: UserProject, small_clip: ClipEncoder, made: Made, waiting: Waiting
) -> None:
    for name in ("a.mp4", "b.mp4"):
        project.add(made("no_audio.mp4"), name)
    report = Tally()

    def remove() -> None:
        assert waiting.wait(PATIENCE)
        waiting.first.location.unlink(missing_ok=True)

    with opened(project, HeldUp(small_clip, decodes=remove), report, "decode.workers=2") as flow:
        summary = flow.scan()
    assert (summary.embedded, summary.failed) == (1, 0)
    assert widths(project).keys() == {"a.mp4", "b.mp4"} - {waiting.first.path}
    assert report.ended == report.expected == 2


def test_a_stop_while_models_load_writes_what_is_in_hand(
    project: UserProject, small_clip: ClipEncoder, made: Made
) -> None:
    project.add_distinct(made("no_audio.mp4"), (f"{number}.mp4" for number in range(8)))
    gate = Gate(threads=2)
    with opened(project, HeldUp(small_clip, decodes=gate), Tally(), "decode.workers=2") as flow:

        def stop() -> None:
            gate.wait()
            flow.stop()
            gate.open()

        stopper = threading.Thread(target=stop)
        stopper.start()
        summary = flow.scan()
        stopper.join()
    assert summary.interrupted
    assert summary.embedded == len(rows(project)) == 2


def widths(project: UserProject) -> dict[str, int]:
    return {path: row.width for path, row in rows(project).items()}


def test_a_watch_at_rest_holds_nothing_of_the_videos_that_it_embedded(
    project: UserProject, small_clip: ClipEncoder, made: Made
) -> None:
    videos, report = 24, Tally()
    threads = 8  # at most; one that waits may still name what it had last
    kinds = (Frames, DecodedVideo, EmbeddedVideo)

    def held() -> Counter[type]:
        gc.collect()
        return Counter(kind for each in gc.get_objects() if (kind := type(each)) in kinds)

    before = held()  # by other tests
    for number in range(videos):
        distinct_copy(made("no_audio.mp4"), project.videos / f"{number}.mp4", number)
    with watching(project, HeldUp(small_clip), report):
        eventually(lambda: report.ended == videos)
        at_rest = 30.0  # seconds, less than those after which it tidies up
        eventually(lambda: max((held() - before).values(), default=0) <= threads, within=at_rest)
    assert len(rows(project)) == videos
