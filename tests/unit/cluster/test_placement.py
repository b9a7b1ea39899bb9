"""Where actors stand: every core and GPU has its work, no node is asked for more than it has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cluster.placement import Node, Plan, plan
from pipeline.settings import Settings

CPU_NODE = Node("a", "a", cores=8, gpus=0)
GPU_NODE = Node("b", "b", cores=16, gpus=4)


def settings(device: str = "auto", **ray: float) -> Settings:
    return Settings(base=Path("/"), device=device, ray=ray)


def per_node(made: Plan) -> Counter[str]:
    return Counter(place.node for place in made.embedders)


def test_without_a_gpu_each_node_has_one_embedder_and_a_decoder_a_core() -> None:
    made = plan(settings(), [CPU_NODE, Node("c", "c", cores=2, gpus=0)])
    assert per_node(made) == {"a": 1, "c": 1}
    assert Counter(place.node for place in made.decoders) == {"a": 8, "c": 2}
    by_node = {place.node: place for place in made.embedders}
    assert (by_node["a"].calls, by_node["a"].threads) == (4, 2)
    assert (by_node["c"].calls, by_node["c"].threads) == (2, 1)


def test_each_gpu_has_an_embedder_and_cores_without_one_decode() -> None:
    made = plan(settings(), [CPU_NODE, GPU_NODE])
    assert per_node(made) == {"b": 4}
    assert {place.gpus for place in made.embedders} == {1.0}
    assert len(made.decoders) == 24


def test_a_gpu_can_be_shared_and_numbers_can_be_set() -> None:
    made = plan(settings(embedder_gpus=0.5, decoders=6), [CPU_NODE, GPU_NODE])
    assert per_node(made) == {"b": 8}
    assert Counter(place.node for place in made.decoders) == {"a": 2, "b": 4}
    assert len(plan(settings(embedders=1), [CPU_NODE, GPU_NODE]).embedders) == 1


def test_cores_are_used_where_the_device_says_so() -> None:
    assert {place.gpus for place in plan(settings("cpu"), [GPU_NODE]).embedders} == {0.0}


@pytest.mark.parametrize("nodes", [[], [CPU_NODE]])
def test_a_gpu_that_is_demanded_and_not_there_leaves_no_embedder(nodes: list[Node]) -> None:
    assert plan(settings("cuda"), nodes).embedders == ()


@given(
    st.lists(st.tuples(st.integers(1, 64), st.integers(0, 8)), min_size=1, max_size=5),
    st.integers(0, 40),
    st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]),
)
def test_no_node_is_asked_for_more_than_it_has(
    sizes: list[tuple[int, int]], decoders: int, gpus: float
) -> None:
    nodes = [Node(str(n), str(n), cores, count) for n, (cores, count) in enumerate(sizes)]
    made = plan(settings(decoders=decoders, embedder_gpus=gpus), nodes)
    assert len(made.decoders) == (decoders or sum(cores for cores, _ in sizes))
    places = [*made.decoders, *made.embedders]
    assert len(set(made.decoders)) == len(made.decoders)
    for node in nodes:
        here = [place for place in places if place.node == node.id]
        assert sum(place.cores for place in here) <= node.cores + 1e-9
        assert sum(place.gpus for place in here) <= node.gpus
