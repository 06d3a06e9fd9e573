"""The Ray cluster of a run: started here or joined, kept quiet, and how many workers have a place in it."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.cli import UserError, missing_package

# Chunks on their way, a few megabytes a worker; Ray's own choice is a third of all memory.
OBJECT_STORE_BYTES = 512 << 20


@dataclass(frozen=True)
class Node:
    """What a node of the cluster has for workers."""

    cpus: int
    gpus: float

    def places(self, cpus_per_worker: int, gpus_per_worker: float) -> int:
        """Return how many workers it holds."""
        by_cpu = self.cpus // cpus_per_worker
        return min(by_cpu, int(self.gpus / gpus_per_worker + 1e-9)) if gpus_per_worker else by_cpu


@dataclass(frozen=True)
class Layout:
    """How many workers, and what each of them takes."""

    num_workers: int
    cpus_per_worker: int
    gpus_per_worker: float


@contextlib.contextmanager
def ray_cluster(address: str | None) -> Iterator[list[Node]]:
    """Join the cluster at `address`, or start one on this machine for None; yield its nodes, and leave it at the end.

    What Ray would print meanwhile goes nowhere; its logs are in its session folder. Raises UserError when there is no
    Ray or no such cluster.
    """
    # Read when ray is imported, by every process of it; a user who wants to see more has set them.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise missing_package("ray[data]", "scoring on several workers") from None

    if address:
        check_reachable(address)
    # Ray prints news of its daemons to stdout, which is for our summary. We report lost workers ourselves.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            with silent_stderr():  # where it says that its log level is what we have set
                ray.init(
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    **_init_options(address),
                )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise _not_joined(address, error) from None
        try:
            yield [
                Node(int(node["Resources"].get("CPU", 0)), node["Resources"].get("GPU", 0.0))
                for node in ray.nodes()
                if node["Alive"]
            ]
        finally:
            ray.shutdown()


def _init_options(address: str | None) -> dict[str, Any]:
    """Return what `ray.init` is told of where to run."""
    if address:
        # Nodes need not see this folder: they get a copy.
        code = {"working_dir": str(Path(__file__).parents[1]), "excludes": ["__pycache__"]}
        return {"address": address, "runtime_env": code}
    # Outright local, whatever another cluster on this machine has left in RAY_ADDRESS or in Ray's folder.
    own = {"address": "local", "num_cpus": usable_cpus(), "object_store_memory": OBJECT_STORE_BYTES}
    return own | {"include_dashboard": False}


def _not_joined(address: str | None, error: Exception) -> UserError:
    """Return the error for a cluster that cannot be joined, or started."""
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if address is None:
        return UserError(f"Ray cannot be started here: {reason}")
    return UserError(
        f"--address {address}: no Ray cluster there that can be joined: {reason}; if it was started with a token, "
        "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN here too"
    )


def check_reachable(address: str) -> None:
    """Raise UserError when nothing answers at host:port; Ray itself would try for half a minute."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"--address {address}: nothing answers there: {error}; start the cluster with `ray start --head`"
        ) from None


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Drop whatever this process writes to stderr, code that is not Python included."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def usable_cpus() -> int:
    """Return how many CPUs this process may run on: taskset and job schedulers allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_layout(
    nodes: list[Node], num_workers: int | None, cpus_per_worker: int | None, gpus_per_worker: float | None, device: str
) -> Layout:
    """Return the layout that was asked for, with what is None filled in.

    A worker takes a GPU where there are any, and its share of that node's CPUs, or else all CPUs of the smallest node.
    Raises UserError when the cluster cannot hold the layout.
    """
    if gpus_per_worker is None:
        gpus_per_worker = 1.0 if device in ("auto", "cuda") and any(node.gpus >= 1 for node in nodes) else 0.0
    if device == "cuda" and not gpus_per_worker:
        raise UserError(
            "--device cuda: no node of the cluster has a GPU for it; use --device cpu, or give --gpus_per_worker"
        )
    able = [node for node in nodes if node.cpus and node.places(1, gpus_per_worker)]
    if cpus_per_worker is None:
        shares = [
            max(int(node.cpus * gpus_per_worker / node.gpus), 1) if gpus_per_worker else node.cpus for node in able
        ]
        cpus_per_worker = min(shares, default=1)
    places = sum(node.places(cpus_per_worker, gpus_per_worker) for node in nodes)
    wanted = places if num_workers is None else num_workers
    if not places or wanted > places:
        # Ray would wait for ever for the others.
        each = f"{cpus_per_worker} CPUs" + (f" and {gpus_per_worker:g} GPUs" if gpus_per_worker else "")
        has = ", ".join(f"{node.cpus} CPUs" + (f" and {node.gpus:g} GPUs" if node.gpus else "") for node in nodes)
        raise UserError(
            f"{max(wanted, 1)} workers of {each} do not fit: the cluster has room for {places} (its nodes have {has}); "
            "lower --num_workers, --cpus_per_worker or --gpus_per_worker, or add nodes"
        )
    return Layout(wanted, cpus_per_worker, gpus_per_worker)
