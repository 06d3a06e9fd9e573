"""Where workers have a place in a cluster. No Ray here."""

import pytest

from cluster.ray_cluster import Layout, Node, check_reachable, choose_layout
from shared.cli import UserError

SMALL, LARGE, GPUS = Node(2, 0.0), Node(8, 0.0), Node(16, 4.0)


@pytest.mark.parametrize(
    ("nodes", "flags", "layout"),
    [
        ([LARGE], (None, None, None), Layout(1, 8, 0.0)),  # a node runs one worker
        ([SMALL, LARGE], (None, None, None), Layout(5, 2, 0.0)),  # of the size of the smallest: 1 + 4
        ([SMALL, LARGE], (None, 4, None), Layout(2, 4, 0.0)),
        ([SMALL, LARGE], (3, 1, None), Layout(3, 1, 0.0)),
        ([GPUS, LARGE], (None, None, None), Layout(4, 4, 1.0)),  # one a GPU
        ([GPUS], (None, None, 0.5), Layout(8, 2, 0.5)),
        ([GPUS], (None, None, 0.0), Layout(1, 16, 0.0)),
        ([Node(0, 0.0), SMALL], (None, None, None), Layout(1, 2, 0.0)),  # a head node that runs nothing
    ],
)
def test_layout_fills_the_cluster(nodes: list[Node], flags: tuple, layout: Layout) -> None:
    assert choose_layout(nodes, *flags, "auto") == layout


@pytest.mark.parametrize(
    ("nodes", "flags"),
    [
        ([SMALL], (3, 1, None)),
        ([SMALL, SMALL], (1, 4, None)),  # four CPUs, but on two nodes
        ([SMALL], (1, 1, 1.0)),
        ([GPUS], (5, 1, 1.0)),
        ([Node(0, 0.0)], (None, None, None)),
    ],
)
def test_more_than_fits_is_an_error_and_does_not_wait_for_ever(nodes: list[Node], flags: tuple) -> None:
    with pytest.raises(UserError, match="do not fit: the cluster has room for"):
        choose_layout(nodes, *flags, "auto")


def test_cuda_without_a_gpu_is_an_error() -> None:
    with pytest.raises(UserError, match="--device cuda: no node"):
        choose_layout([LARGE], None, None, None, "cuda")


def test_cpu_takes_no_gpu() -> None:
    assert choose_layout([GPUS], None, None, None, "cpu") == Layout(1, 16, 0.0)


def test_address_where_nothing_answers_is_an_error_at_once() -> None:
    with pytest.raises(UserError, match=r"--address 127\.0\.0\.1:1: nothing answers there"):
        check_reachable("127.0.0.1:1")
