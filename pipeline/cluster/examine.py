"""What `doctor` reports of a cluster: a finding a node."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pipeline.cluster.engine import alive_nodes
from pipeline.cluster.nodes import Facts, ask_nodes, look_around, problems, question_of
from pipeline.cluster.placement import Node
from pipeline.cluster.session import ray_session
from pipeline.doctor.finding import Finding, State
from pipeline.errors import PipelineError
from pipeline.settings import Settings

LEAST_SHARED_BYTES = 128 << 20  # containers have 64 MB by default
NO_TOKEN = "set RAY_AUTH_MODE=token, and the same RAY_AUTH_TOKEN, on every node"


def examine_cluster(settings: Settings) -> Iterator[Finding]:
    """Yield what there is to say of the cluster that the settings name, and of each node."""
    try:
        with ray_session(settings) as ray:
            from pipeline.project import Project  # which imports LanceDB: after Ray has begun

            if settings.ray.address:
                yield _token()
            with Project.open(settings) as project:
                question = question_of(settings, project.collection.top)
            nodes, own = alive_nodes(ray), look_around(question)
            answers = ask_nodes(ray, question, nodes, with_gpus=True)
            yield from (_finding(node, answers[node.id], own) for node in nodes)
    except PipelineError as error:
        yield Finding("ray", State.PROBLEM, str(error))


def _token() -> Finding:
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "token":
        return Finding("ray", State.OK, "the cluster wants a token")
    text = "whoever reaches this cluster can run programs on it: it wants no token"
    return Finding("ray", State.WARNING, text, NO_TOKEN)


def _finding(node: Node, facts: Facts | str, own: Facts) -> Finding:
    part, lacks = f"node {node.name}", problems(facts, own)
    if lacks or isinstance(facts, str):
        advice = "make it like this machine, or take it out of the cluster"
        return Finding(part, State.PROBLEM, "; ".join(lacks), advice)
    gpus = ", ".join(facts.gpus) or "no GPU"
    text = (
        f"{node.cores:g} cores, {gpus}, {node.store_bytes / 1e9:.1f} GB for objects; program"
        f" {facts.program}, FFmpeg {facts.ffmpeg} and weights are those of this machine"
    )
    if facts.shared_bytes is not None and facts.shared_bytes < LEAST_SHARED_BYTES:
        text = f"{text}; /dev/shm has {facts.shared_bytes / 1e6:.0f} MB, so that objects go to disk"
        return Finding(part, State.WARNING, text, "start its container with --shm-size=2g")
    return Finding(part, State.OK, text)
