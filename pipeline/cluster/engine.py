"""The engine of a cluster: decoder and embedder actors of Ray in place of this process's threads.

The feeder, the claims, the journal and the writer stay here. A thread of this process waits for
each call, so that channels bound what is under way as they do for the local engine; pixels stay in
the object stores of the nodes.

Nodes that join later get their actors at once. How many calls are under way is set at the start,
two a decoder, so that a cluster can double while a run goes on; the next run uses all of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cluster.actors import Answer, DecoderActor, EmbedderActor
from pipeline.cluster.nodes import ask_nodes, look_around, problems, question_of
from pipeline.cluster.placement import Node, Place, Plan, plan
from pipeline.cluster.pool import PULSE, Lost, Pool
from pipeline.cluster.remote import RemoteEmbedder, RemoteReader
from pipeline.cluster.session import SHARE_OF_STORE, end_at_once
from pipeline.errors import PipelineError, SettingsError
from pipeline.flow.engine import EncodeTexts, Line, Shared
from pipeline.flow.intake import Intake
from pipeline.flow.wiring import Shape, wire
from pipeline.flow.workers import StageGroup
from pipeline.models.preprocess import Preprocess
from pipeline.settings import Settings

FILES_PER_DECODER = 2  # one is read while the answer of the other is on its way
TRIES = 3


class RayEngine:
    """Runs both stages on a cluster. Made by `open_engine`.

    Args:
        ray: the package, in a session.
        settings: of the run.
        say: prints a line for a person.
    """

    cores = None  # of this machine: any number of threads may wait

    def __init__(self, ray: Any, settings: Settings, say: Callable[[str], None]) -> None:
        self._ray = ray
        self._settings = settings
        self._say = say
        self._said: set[str] = set()
        self.loading_seconds = 0.0
        self.plan = self._plan()
        decoder = ray.remote(concurrency_groups={PULSE: 1}, max_restarts=0)(DecoderActor)
        embedder = ray.remote(max_restarts=0)(EmbedderActor)
        self._decoders = Pool(
            ray,
            "decoder",
            lambda place: decoder.options(**self._demands(place)).remote(settings),
            lambda: self._plan().decoders,
            calls=lambda _: FILES_PER_DECODER,
            hear=self._hear,
        )
        self._embedders = Pool(
            ray,
            "embedder",
            lambda place: embedder.options(
                max_concurrency=place.calls, **self._demands(place)
            ).remote(settings, place.gpus, place.threads, place.calls),
            lambda: self._plan().embedders,
            calls=_batches,
            hear=self._hear,
        )
        self._embedder: RemoteEmbedder | None = None

    def connect(self, stages: StageGroup, shared: Shared) -> Line:
        queue, embedders = self._settings.queue, self.plan.embedders
        self._decoders.start()
        self._embedders.start()
        timeout = self._settings.decode.timeout_seconds
        reader = RemoteReader(self._decoders, lambda: self._preprocess, timeout)
        intake = Intake(shared.claims, shared.transcript_of, reader)
        self._embedder = RemoteEmbedder(self._embedders, intake.make, reader.blame)
        store_bytes = sum(node.store_bytes for node in alive_nodes(self._ray))
        shape = Shape(
            decode=FILES_PER_DECODER * len(self.plan.decoders),
            models=sum(map(_batches, embedders)),
            videos=self.plan.videos,
            items=queue.items * len(embedders),
            nbytes=min((queue.megabytes << 20) * len(embedders), int(SHARE_OF_STORE * store_bytes)),
        )
        return wire(stages, intake, self._embedder, shape)

    def text_encoder(self) -> EncodeTexts | None:
        return self._encode_texts if self._embedder and self._embedder.has_run else None

    def abandon(self) -> None:
        if not self._settings.ray.address:
            end_at_once()

    def _encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        vectors: np.ndarray = self._ask_embedder("encode_texts", tuple(texts))
        return vectors

    @cached_property
    def _preprocess(self) -> Preprocess:
        made: Preprocess = self._ask_embedder("read_preprocess")
        return made

    def _ask_embedder(self, method: str, *arguments: Any) -> Any:
        for _ in range(TRIES):
            try:
                return self._embedders.call(method, *arguments)[0]
            except Lost as loss:
                lost = loss
        raise PipelineError(f"{method} fails on the cluster: {lost}")

    def _plan(self) -> Plan:
        return plan(self._settings, alive_nodes(self._ray))

    def _demands(self, place: Place) -> dict[str, Any]:
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        return {
            "num_cpus": place.cores,
            "num_gpus": place.gpus,
            "scheduling_strategy": strategy(place.node, soft=False),
        }

    def _hear(self, answer: Answer) -> None:
        """Pass on what an actor has to say; what each of many says is said once."""
        self.loading_seconds = max(self.loading_seconds, answer.loading_seconds)
        for remark in answer.remarks:
            if remark.logger:
                logging.getLogger(remark.logger).log(remark.level, "%s", remark.text)
            elif remark.text not in self._said:
                self._said.add(remark.text)
                self._say(remark.text)


def open_engine(ray: Any, settings: Settings, top: Path, say: Callable[[str], None]) -> RayEngine:
    """Look at the nodes of the cluster, and place actors on them.

    Args:
        ray: the package, in a session.
        settings: of the run.
        top: the folder that is scanned.
        say: prints a line for a person.

    Raises:
        SettingsError: a GPU is demanded, and there is none.
        PipelineError: the cluster cannot be used; the text names what each node lacks.
    """
    if settings.ray.address:
        check_nodes(ray, settings, top)
    engine = RayEngine(ray, settings, say)
    made = engine.plan
    if not made.embedders:
        raise SettingsError(f"device = {settings.device}: no node of the cluster has a GPU")
    nodes = len({place.node for place in (*made.decoders, *made.embedders)})
    counts = (("node", nodes), ("decoder", len(made.decoders)), ("embedder", len(made.embedders)))
    say("Ray: " + ", ".join(f"{n} {what}{'s' * (n != 1)}" for what, n in counts))
    return engine


def check_nodes(ray: Any, settings: Settings, top: Path) -> None:
    """Refuse a cluster with a node that would not do the same as this machine.

    Raises:
        PipelineError: the text names each such node, and what it lacks.
    """
    question = question_of(settings, top)
    own = look_around(question)
    nodes = {node.id: node for node in alive_nodes(ray)}
    lines = [
        f"node {nodes[node].name} {problem}"
        for node, facts in ask_nodes(ray, question, list(nodes.values())).items()
        for problem in problems(facts, own)
    ]
    if lines:
        raise PipelineError("\n".join([*lines, "see: doctor --engine ray"]))


def alive_nodes(ray: Any) -> list[Node]:
    """The nodes of the cluster that are alive and compute."""
    found = []
    for node in ray.nodes():
        has = node["Resources"]
        if node["Alive"] and has.get("CPU"):
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            store = int(has.get("object_store_memory", 0))
            found.append(Node(node["NodeID"], name, has["CPU"], has.get("GPU", 0.0), store))
    return found


def _batches(place: Place) -> int:
    """Batches that an embedder has in hand; a GPU does not wait for the next one's frames."""
    return place.calls + (1 if place.gpus else 0)
