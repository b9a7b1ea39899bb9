"""The searcher of a page, with CLIP loaded in the background and its last answers kept."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from threading import Lock
from typing import Any

from pipeline.project import Project
from pipeline.search.question import Answer, Question
from pipeline.search.searcher import Searcher
from pipeline.web.answers import NotReadyError
from pipeline.web.pictures import Pictures
from pipeline.web.pool import Pool
from store.retrieval.filter import Filter

MOST_HITS = 500
ANSWERS_KEPT = 16

LOADING = "CLIP is being loaded: the first search by meaning waits for it, all others do not."


class Finder:
    """Asks the searcher, loads CLIP when a question first needs it, and keeps the last answers.

    Args:
        project: open project that is searched.
        loading: thread that loads CLIP.
    """

    def __init__(self, project: Project, loading: Pool) -> None:
        self.pictures = Pictures()
        self._pool = loading
        self._searcher = Searcher(project)
        self._loading: Future[None] | None = None
        self._answers: OrderedDict[Any, Answer] = OrderedDict()
        self._lock = Lock()

    @property
    def model(self) -> str:
        """State of CLIP: `not loaded`, `loading` or `ready`."""
        if self._searcher.is_loaded:
            return "ready"
        return "loading" if self._loading is not None else "not loaded"

    def require_model(self) -> None:
        """Return where CLIP is there; the first call begins to load it.

        Raises:
            NotReadyError: it is being loaded.
            SettingsError, ModelError: it could not be loaded; the next call tries again.
        """
        with self._lock:
            if self._loading is None and not self._searcher.is_loaded:
                self._loading = self._pool.submit(self._searcher.load)
            loading = self._loading
            if loading is not None and loading.done():
                self._loading = None
                loading.result()
        if not self._searcher.is_loaded:
            raise NotReadyError(LOADING)

    def ask(self, question: Question, only: Filter, version: int) -> Answer:
        """Ask, or repeat what was answered while the rows were the same."""
        asked = (question, only, version)
        with self._lock:
            if asked in self._answers:
                self._answers.move_to_end(asked)
                return self._answers[asked]
        answer = self._searcher.ask(question, k=MOST_HITS, only=only)
        with self._lock:
            self._answers[asked] = answer
            while len(self._answers) > ANSWERS_KEPT:
                self._answers.popitem(last=False)
        return answer
