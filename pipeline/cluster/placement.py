"""Which actors stand on which node. Knows nothing of Ray: numbers in, numbers out.

With GPUs, each of them has an embedder, and the cores that are left decode. Without, the models
need most of the time and decoding runs beside them, so both share all cores of a node: an embedder
that computes with as many threads as there are cores, and a decoder a core. They ask the cluster
for half of the node each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.models.devices import share_cores
from pipeline.settings import Settings


@dataclass(frozen=True)
class Node:
    """A node of the cluster, with all that it has.

    Args:
        id: Ray's.
        name: host name or address, for a person.
        cores: logical CPUs.
        gpus: number of them.
        store_bytes: size of its object store.
    """

    id: str
    name: str
    cores: float
    gpus: float
    store_bytes: int = 0


@dataclass(frozen=True)
class Place:
    """What one actor asks its node for.

    Args:
        node: Ray's id.
        number: of this place among equal ones of its node.
        cores: logical CPUs.
        gpus: number of them; a fraction shares one.
        threads: cores that one call of a model computes on; 0 for all.
        calls: batches that it works on at a time.
    """

    node: str
    number: int
    cores: float
    gpus: float = 0.0
    threads: int = 1
    calls: int = 1


@dataclass(frozen=True)
class Plan:
    """All actors.

    Args:
        decoders: each works on one file at a time.
        embedders: each holds both models.
        videos: most videos in a batch.
    """

    decoders: tuple[Place, ...]
    embedders: tuple[Place, ...]
    videos: int


def plan(settings: Settings, nodes: Sequence[Node]) -> Plan:
    """Place the actors on the nodes.

    Args:
        settings: how many there shall be, where they say so.
        nodes: that are alive; those without cores get nothing.

    Returns:
        No embedders where `device` demands a GPU and there is none.
    """
    nodes = sorted((node for node in nodes if node.cores > 0), key=lambda node: node.id)
    if settings.device != "cpu" and any(node.gpus for node in nodes):
        embedders = _on_gpus(settings, nodes)
        free = [node.cores - _used(embedders, node) for node in nodes]
    else:
        embedders = () if settings.device.startswith("cuda") else _on_cores(settings, nodes)
        free = [node.cores / 2 for node in nodes]
    wanted = settings.ray.decoders or sum(math.ceil(node.cores) for node in nodes)
    decoders = []
    for node, count, room in zip(nodes, _shares(wanted, nodes), free, strict=True):
        cores = min(_rounded(room / count), 1.0) if count else 0.0
        decoders += [Place(node.id, number, cores) for number in range(count)]
    gpu = any(place.gpus for place in embedders)
    return Plan(tuple(decoders), embedders, share_cores(settings, gpu=gpu, cores=2).videos)


def _on_gpus(settings: Settings, nodes: Sequence[Node]) -> tuple[Place, ...]:
    each = settings.ray.embedder_gpus or 1.0
    found = []
    for node in nodes:
        count = math.floor(node.gpus / each)
        # At most half of the cores, so that decoders have room.
        cores = _rounded(min(settings.ray.embedder_cores or 1, node.cores / 2 / max(count, 1)))
        found += [Place(node.id, number, cores, each, threads=0) for number in range(count)]
    return tuple(found[: settings.ray.embedders or len(found)])


def _on_cores(settings: Settings, nodes: Sequence[Node]) -> tuple[Place, ...]:
    found = []
    for node in nodes:
        cores = max(math.floor(min(settings.ray.embedder_cores or node.cores, node.cores)), 1)
        threads = share_cores(settings, gpu=False, cores=cores)
        for number in range(max(math.floor(node.cores / cores), 1)):
            asked = _rounded(min(cores, node.cores) / 2)
            found.append(
                Place(node.id, number, asked, threads=threads.per_model, calls=threads.models)
            )
    return tuple(found[: settings.ray.embedders or len(found)])


def _used(places: Sequence[Place], node: Node) -> float:
    return sum(place.cores for place in places if place.node == node.id)


def _shares(wanted: int, nodes: Sequence[Node]) -> list[int]:
    """Divide actors among nodes by their cores (largest remainders)."""
    cores = sum(node.cores for node in nodes) or 1
    exact = [wanted * node.cores / cores for node in nodes]
    shares = [math.floor(part) for part in exact]
    by_rest = sorted(range(len(nodes)), key=lambda n: shares[n] - exact[n])
    for index in by_rest[: wanted - sum(shares)]:
        shares[index] += 1
    return shares


def _rounded(cores: float) -> float:
    """Cores as Ray counts them: in ten thousandths, rounded down."""
    return math.floor(cores * 10_000) / 10_000
