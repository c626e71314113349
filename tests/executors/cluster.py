"""A Ray cluster of two nodes on this machine, made when a test first asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

LOOPBACK = "127.0.0.1"
_ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # else Ray replaces it by the machine's address


@contextmanager
def cluster(n_nodes: int = 2, cores: int = 1, **environment: str) -> Iterator[Any]:
    """Nodes of so many cores each; only this machine reaches them."""
    environment = {"RAY_USAGE_STATS_ENABLED": "0", **_ON_LOOPBACK, **environment}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)  # of the nodes
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    ray_constants.ENABLE_RAY_CLUSTER = False  # for who has imported it already, as the variable for its processes
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": cores, "node_ip_address": LOOPBACK})
    try:
        for _ in range(n_nodes - 1):
            found.add_node(num_cpus=cores, node_ip_address=LOOPBACK)
        yield found
    finally:
        ray.shutdown()
        found.shutdown()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
