"""Where somebody speaks is found the same way by any thread, and in little memory."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pipeline.models.vad import find_speech
from tests.support.speech import (
    seconds_of,
)


def test_listening_is_the_same_from_several_threads(jfk: np.ndarray) -> None:
    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(lambda _: find_speech(jfk, vad=True), range(8)))
    assert {windows[0].spans for windows in heard} == {heard[0][0].spans}


def test_a_long_recording_takes_little_memory_to_listen_to(jfk: np.ndarray) -> None:
    """20 minutes of speech: the windows, and no float32 copy of the recording."""
    audio = np.resize(np.concatenate([jfk, np.zeros(seconds_of(3), np.int16)]), seconds_of(1200))
    tracemalloc.start()
    try:
        windows = find_speech(audio, vad=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - sum(window.samples.nbytes for window in windows) < 1.5 * audio.nbytes
    assert sum(len(window.samples) for window in windows) > 0.7 * len(audio)
