"""Which frames of a video to decode: pure arithmetic on frame indices and timestamps.

keyframes   K           K           K           K
timestamps  0  1  2  3  4  5  6  7  8  9 10 11 12 13
n = 3       ^                 ^                    ^
            seek 0            seek 4, go on to 6   seek 12, go on to 13
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np


def frame_indices(total: int, n: int) -> list[int]:
    """Indices of `n` frames, uniformly spaced from the first of `total` to the last.

    `linspace(0, total - 1, n)` cut to whole numbers, as in the seed document. A video of fewer than
    `n` frames gives some of them more than once.

    Raises:
        ValueError: there are no frames, or none are asked for.
    """
    if total < 1 or n < 1:
        raise ValueError(f"cannot choose {n} of {total} frames")
    return [int(index) for index in np.linspace(0, total - 1, n, dtype=np.int64)]


def nearest_places(moments: Sequence[int], places: Sequence[int]) -> list[int]:
    """Find the nearest place to each moment; the earlier of two that are equally near.

    Args:
        moments: in any order, with repeats.
        places: ascending, at least one.
    """
    found = []
    for moment in moments:
        after = bisect_left(places, moment)
        around = places[max(after - 1, 0) : after + 1]
        found.append(min(around, key=lambda place: abs(place - moment)))
    return found


def spaced_moments(seconds: float, every: float, most: int) -> list[float]:
    """Choose moments of a video, from its start on; farther apart where they would be too many.

    Args:
        seconds: length of the video.
        every: seconds from one to the next, above 0.
        most: how many there are at most.

    Returns:
        Seconds from the start, ascending.
    """
    step = max(every, seconds / most)
    return [i * step for i in range(min(ceil(seconds / step), most))]


@dataclass(frozen=True)
class Seek:
    """A seek to a keyframe, and the frames to decode from there on.

    Args:
        keyframe: its timestamp.
        targets: timestamps of the frames, ascending.
    """

    keyframe: int
    targets: tuple[int, ...]


def plan_seeks(targets: Sequence[int], keyframes: Sequence[int]) -> list[Seek]:
    """Group targets by the keyframe that each has to be decoded from.

    Targets of one group of pictures share a seek: to decode on is cheaper than to go back. A target
    before the first keyframe is given to that keyframe, though decoding will not come by it.

    Args:
        targets: timestamps of the wanted frames, in any order, with repeats.
        keyframes: ascending timestamps of the keyframes, at least one.
    """
    groups: dict[int, list[int]] = {}
    for target in sorted(set(targets)):
        place = max(bisect_right(keyframes, target) - 1, 0)
        groups.setdefault(keyframes[place], []).append(target)
    return [Seek(keyframe, tuple(group)) for keyframe, group in groups.items()]
