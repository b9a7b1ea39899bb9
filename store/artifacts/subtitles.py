"""Transcripts as subtitles: an .srt and a .vtt of each video, in folders as the videos are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from store.analysis.vectors import of_recipe
from store.files import atomic_write
from store.schema import Recipe, Segment
from store.table.lance import Expr, col, lit, translated
from store.table.store import Store

_BATCH_ROWS = 256
_ENDINGS = (".srt", ".vtt")
_NAME_BYTES = 255  # of a file name, in most file systems
_SPOKEN: Expr = col("speech_status") == lit("speech")


@dataclass(frozen=True)
class SubtitlesSummary:
    """Counts of what was written, and what was found beside it.

    Args:
        written: how many videos have subtitles now.
        stale: subtitle files in the folder that belong to no video in which somebody speaks, as
            posix paths below it. They stay, since they may be a person's own.
    """

    written: int
    stale: tuple[str, ...]


def write_subtitles(
    store: Store, folder: Path, *, recipe: Recipe, offline: bool = False
) -> SubtitlesSummary:
    """Write the subtitles of every video in which somebody speaks.

    `soccer/1.mp4` has `soccer/1.srt` and `soccer/1.vtt`; where another video would have those, too,
    `soccer/1.mp4.srt`. A name that would be too long for a file is cut. Each file is replaced whole
    or not at all.

    Args:
        store: the store that is read.
        folder: the folder to write to; made if need be.
        recipe: what made the transcripts; those of another recipe are left out.
        offline: whether videos whose file was not there at the last look are included.

    Raises:
        StoreError: the store cannot be read, or a file cannot be written.
    """
    spoken = store.videos.read(["path"], _SPOKEN)
    names = _names(store.known())
    belonging = {names.get(path, path) for path in spoken["path"].to_pylist()} if spoken else set()
    written = 0
    with translated(f"{folder}: the subtitles cannot be written"):
        for path, segments in _transcripts(store, recipe, offline=offline):
            target = folder / names.get(path, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(target.with_name(f"{target.name}.srt"), srt(segments))
            atomic_write(target.with_name(f"{target.name}.vtt"), vtt(segments))
            written += 1
        return SubtitlesSummary(written, tuple(sorted(_stale(folder, belonging))))


def srt(segments: Iterable[Segment]) -> str:
    """Format SubRip, which has no escapes: only the arrow, which would break a cue, is replaced."""
    cues = (
        f"{number}\n{start} --> {end}\n{text.replace('-->', '->')}\n"
        for number, (start, end, text) in enumerate(_cues(segments, ","), start=1)
    )
    return "\n".join(cues)


def vtt(segments: Iterable[Segment]) -> str:
    """Format WebVTT (https://www.w3.org/TR/webvtt1/), its text escaped."""
    cues = (f"\n{start} --> {end}\n{_escaped(text)}\n" for start, end, text in _cues(segments, "."))
    return "WEBVTT\n" + "".join(cues)


def timestamp(milliseconds: int, point: str) -> str:
    """Format a time as `01:02:03.456`, with the decimal point of the format."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"


def _cues(segments: Iterable[Segment], point: str) -> Iterator[tuple[str, str, str]]:
    """Yield start, end and text of each cue, the text on one line: an empty one would end it."""
    for segment in segments:
        start = max(round(segment.start * 1000), 0)
        end = max(round(segment.end * 1000), start + 1)
        text = " ".join(segment.text.split())
        if text:
            yield timestamp(start, point), timestamp(end, point), text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _names(paths: Iterable[str]) -> dict[str, str]:
    """Name subtitles by path: without its ending where no other video could have that name."""
    plain = {path: str(PurePosixPath(path).with_suffix("")) for path in paths}
    counts = Counter([*plain, *plain.values()])
    whole = {path: name if counts[name] == 1 else path for path, name in plain.items()}
    return {path: _shortened(name, path) for path, name in whole.items()}


def _shortened(name: str, path: str) -> str:
    """Cut a file name that would be too long, and end it with what only this path has."""
    folder, slash, last = name.rpartition("/")
    room = _NAME_BYTES - len(_ENDINGS[0])
    if len(last.encode()) <= room:
        return name
    mark = f"~{blake2b(path.encode(), digest_size=6).hexdigest()}"
    return f"{folder}{slash}{last.encode()[: room - len(mark)].decode(errors='ignore')}{mark}"


def _stale(folder: Path, belonging: set[str]) -> Iterator[str]:
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        if file.suffix in _ENDINGS and name.removesuffix(file.suffix) not in belonging:
            yield name


def _transcripts(
    store: Store, recipe: Recipe, *, offline: bool
) -> Iterator[tuple[str, tuple[Segment, ...]]]:
    snapshot = store.snapshot()
    if snapshot is None:
        return
    wanted = of_recipe(recipe, offline=offline) & _SPOKEN
    scan = snapshot.table.search().where(wanted).select(["path", "segments"]).limit(None)
    for batch in scan.to_batches(batch_size=_BATCH_ROWS):
        for row in batch.to_pylist():
            yield row["path"], tuple(Segment(**piece) for piece in row["segments"])
