"""A search finds what is shown and said, at the right moment, and knows when there is nothing.

For that a small CLIP is trained on drawn pictures (pipeline/demo/assets/tiny_clip); the
videos here show what it was not trained on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from pipeline import config
from pipeline.demo.drawing import Scene, every_scene, held_out_scenes
from pipeline.demo.videos import SPEECH
from pipeline.demo.weights import TINY_CLIP
from pipeline.project import Project
from pipeline.search.question import Question
from pipeline.search.searcher import Searcher
from store.retrieval.hits import Hit
from tests.support.meaning import train
from tests.support.meaning.collection import Known
from tests.support.meaning.wording import caption, captions_of, unrelated
from tests.support.program import Run

FOLDER = TINY_CLIP
MOST_BYTES = 6_000_000
CAPTIONS = 50
NONSENSE = (
    "asdf qwer zxcv", "the stock market fell today", "quarterly earnings report",
    "my cat sleeps on the sofa", "how to bake sourdough bread", "football match highlights",
    "lorem ipsum dolor sit amet", "he explains the dough", "a photo of a dog",
    "a man riding a bicycle", "xkcd blorp", "python programming tutorial",
    "president of the united states", "sunset over the ocean", "electric guitar solo",
    "hello world", "the weather will be rainy tomorrow", "zzzz", "a bowl of soup",
    "traffic on the highway", "birthday party with cake", "white wedding dress",
)  # fmt: skip
# What is heard where: each in one speech only.
WORDS = {
    '"my fellow Americans"': "And so my fellow Americans",
    '"ask what you can do"': "ask what you can do for your country",
    '"ask not what your"': "ask not what your country can do for you",
}

Ask = Callable[[Question], tuple[Hit, ...]]


@pytest.fixture(scope="module")
def ask(known: Known) -> Iterator[Ask]:
    """What `query` does with a question, with CLIP loaded once for all of them."""
    settings = config.load(known.project.config)
    with Project.open(settings) as project:
        searcher = Searcher(project)
        yield lambda question: searcher.ask(question).hits


# the model


def test_the_folder_is_small_enough_for_the_repository() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= MOST_BYTES


def test_the_weights_are_of_the_model_scenes_and_wording_that_the_script_has() -> None:
    with safe_open(FOLDER / "open_clip_model.safetensors", "np") as weights:
        assert weights.metadata() == {"made_of": train.fingerprint()}
    settings = json.loads((FOLDER / "open_clip_config.json").read_text(encoding="utf-8"))
    assert settings["model_cfg"] == train.MODEL


def test_training_sees_every_colour_shape_and_place_but_not_every_combination() -> None:
    shown = [scene for scene in every_scene() if not scene.held_out]
    for attribute in ("colour", "shape", "count", "place", "background"):
        everywhere = {getattr(scene, attribute) for scene in every_scene()}
        assert {getattr(scene, attribute) for scene in shown} == everywhere
    pairs = {(scene.colour, scene.shape) for scene in shown}
    assert len({(scene.colour, scene.shape) for scene in every_scene()} - pairs) == 6
    assert not set(held_out_scenes(200)) & set(shown)


@given(st.sampled_from(every_scene()), st.randoms(use_true_random=False))
def test_a_caption_is_true_of_its_scene(scene: Scene, dice: random.Random) -> None:
    said = caption(scene, dice)
    assert said.describes(scene)
    assert said.facts["count"] == scene.count
    assert said.text == " ".join(said.text.split())


# what is shown


def test_no_scene_of_the_collection_was_trained_on(known: Known) -> None:
    scenes = known.collection.scenes
    assert len(set(scenes)) == len(scenes) > 100
    assert all(scene.held_out for scene in scenes)


def test_a_caption_finds_the_video_that_it_describes(ask: Ask, known: Known) -> None:
    twice = {*known.collection.copies.values()}
    single = [video for video in known.collection.videos.values() if video.path not in twice]
    asked = random.Random(1).sample([v for v in single if len(v.shots) == 1], CAPTIONS)
    captions = dict(zip(known.collection.scenes, captions_of(known.collection.scenes), strict=True))
    best = {
        video.path: ask(Question(text=captions[video.scene].text, nearest=True))[0]
        for video in asked
    }
    missed = {captions[known.collection.videos[path].scene].text: hit.path
              for path, hit in best.items() if hit.path != path}  # fmt: skip
    assert len(missed) <= 0.1 * CAPTIONS, missed
    weak = [hit for hit in best.values() if not hit.good]
    assert len(weak) <= 0.1 * CAPTIONS, weak


def test_a_caption_finds_the_moment_from_which_on_it_is_true(ask: Ask, known: Known) -> None:
    captions = dict(zip(known.collection.scenes, captions_of(known.collection.scenes), strict=True))
    found = []
    for video in known.collection.changing:
        change = video.shots[0].seconds
        asked = [Question(text=captions[s.scene].text, nearest=True) for s in video.shots]
        hits = [ask(question)[0] for question in asked]
        times = [hit.why.time if hit.path == video.path else None for hit in hits]
        found.append(times[0] is not None and times[0] < change)
        found.append(times[1] is not None and times[1] >= change)
    assert len(found) == 16
    assert sum(found) >= 0.9 * len(found), found


def test_nonsense_matches_nothing_well(ask: Ask) -> None:
    dice = random.Random(1234)
    for texts in (NONSENSE, [unrelated(dice) for _ in range(60)]):
        best = {text: ask(Question(text=text, nearest=True))[0] for text in texts}
        good = {text: hit for text, hit in best.items() if hit.good}
        assert len(good) <= 0.1 * len(texts), good


# what is said


@pytest.mark.parametrize("words", WORDS)
def test_words_find_the_videos_in_which_they_are_heard(ask: Ask, known: Known, words: str) -> None:
    videos = known.collection.videos.values()
    speakers = {video.path for video in videos if video.speech == WORDS[words]}
    twins = {copy for copy, path in known.collection.copies.items() if path in speakers}
    hits = ask(Question(words=words))
    assert {hit.path for hit in hits} == speakers | twins
    assert all(hit.good and hit.why.sentence for hit in hits)


def test_a_part_of_a_speech_finds_it_by_its_meaning(ask: Ask, known: Known) -> None:
    for said in SPEECH:
        hit, *_ = ask(Question(text=said, places="speech", nearest=True))
        assert hit.why.kind == "speech"
        assert known.video(hit.path).speech == said


# the command


def test_the_command_shows_what_matches_well(known: Known, run: Run) -> None:
    ended = run("--config", known.project.config, "query", "--text", NONSENSE[0], "--json")
    assert json.loads(ended.stdout) == []
    assert "Nothing matches well" in ended.stderr
    (said,) = captions_of([known.collection.videos["circle/5.mp4"].scene])
    ended = run("--config", known.project.config, "query", "--text", said.text, "--json", "-k1")
    (hit,) = json.loads(ended.stdout)
    assert hit["why"]["kind"] == "picture"
    assert said.describes(known.video(hit["path"].removeprefix("videos/")).scene)
