"""Facility location: the picks of plain greedy, from fewer distances and without losing digits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diversity.distances import Distances
from diversity.facility_location import choose_points
from diversity.near_pairs import NearPairs, estimate_pairs
from plain_greedy import all_similarities, plain_greedy

WITH_LISTS, WITHOUT_LISTS = 1e9, 0


def random_points(seed: int) -> tuple[np.ndarray, int]:
    """Points and how many to choose: on a sphere, on a lattice (many ties), repeated, or in clusters."""
    generator = np.random.default_rng(seed)
    num, dimension = int(generator.integers(1, 80)), int(generator.choice([1, 2, 3, 8, 32, 128]))
    points = generator.normal(size=(num, dimension))
    match seed % 4:
        case 0:
            points /= np.linalg.norm(points, axis=1, keepdims=True)
        case 1:
            points = np.round(points)
        case 2:
            points = points[generator.integers(0, max(num // 3, 1), num)]
        case 3:
            points = generator.normal(size=(5, dimension))[generator.integers(0, 5, num)] + 0.01 * points
    return points.astype(np.float32), int(generator.integers(1, num + 1))


def test_picks_are_those_of_plain_greedy_on_200_instances() -> None:
    for seed in range(200):
        points, num = random_points(seed)
        picks, objective = plain_greedy(points, num)
        for memory_bytes in (WITH_LISTS, WITHOUT_LISTS):
            chosen = choose_points(points, num, memory_bytes)
            assert chosen.indices.tolist() == picks, seed
            assert chosen.objective == pytest.approx(objective, rel=1e-12)


@pytest.mark.parametrize("memory_bytes", [WITH_LISTS, WITHOUT_LISTS])
def test_picks_do_not_depend_on_where_blocks_end(memory_bytes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(150, 16)).astype(np.float32)
    whole = choose_points(points, 60, memory_bytes)
    monkeypatch.setattr("diversity.distances.BLOCK", 32)
    in_parts = choose_points(points, 60, memory_bytes)
    assert in_parts.indices.tolist() == whole.indices.tolist() == plain_greedy(points, 60)[0]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(
        lambda size: st.lists(
            st.lists(st.floats(-10, 10, width=32), min_size=size, max_size=size), min_size=1, max_size=24
        )
    ),
    data=st.data(),
)
def test_gains_fall_and_add_up_to_the_objective(rows: list[list[float]], data: st.DataObject) -> None:
    points = np.array(rows, dtype=np.float32)
    num = data.draw(st.integers(1, len(points)))
    chosen = choose_points(points, num)
    assert len(set(chosen.indices.tolist())) == num
    assert (np.diff(chosen.gains) <= 1e-12).all()
    assert chosen.gains.sum() == pytest.approx(chosen.objective, rel=1e-12)
    assert chosen.objective == pytest.approx(all_similarities(points)[:, chosen.indices].max(axis=1).sum(), rel=1e-12)


def test_points_that_are_the_same_count_together_and_the_first_is_chosen() -> None:
    # Three at 0, one at 1, two at 5: the place of most points first, then the pair far away, then the rest in order.
    points = np.array([[5], [1], [0], [0], [5], [0]], dtype=np.float32)
    assert choose_points(points, 6).indices.tolist() == [2, 0, 1, 3, 4, 5] == plain_greedy(points, 6)[0]


def test_all_points_chosen_cover_all() -> None:
    points = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    assert choose_points(points, 40).objective == 40


def test_distance_of_points_that_are_almost_the_same_keeps_its_digits() -> None:
    # 1 + 1 - 2xy would give 0 or 2e-16 here, a distance of 1e-8 instead of 2e-9.
    angle = 2e-9
    points = torch.tensor([[1.0, 0.0], [np.cos(angle), np.sin(angle)]], dtype=torch.float64)
    distance = Distances(points).squared(slice(0, 2), slice(0, 2)).sqrt()
    assert distance[0, 1].item() == pytest.approx(angle, rel=1e-12)
    assert distance[0, 0].item() == 0


def test_distance_to_the_nearest_chosen_point() -> None:
    points = torch.tensor([[0.0], [1.0], [4.0], [9.0]], dtype=torch.float64)
    assert Distances(points).nearest(torch.tensor([1, 3])).tolist() == [1, 0, 3, 0]


def test_lists_of_near_pairs_give_the_gains_of_all_pairs() -> None:
    generator = np.random.default_rng(0)
    points = torch.from_numpy(generator.normal(size=(70, 4)))
    distances, weights = Distances(points), torch.from_numpy(generator.integers(1, 4, 70).astype(float))
    losses = distances.losses(slice(0, 70), slice(0, 70))
    nearest = losses[:, :9].amin(dim=1)
    pairs = NearPairs(distances, weights, nearest.clone())
    pairs.choose(20)
    nearest = torch.minimum(nearest, losses[:, 20])
    expected = weights @ (nearest[:, None] - losses).clamp(min=0)
    assert pairs.nearest.tolist() == nearest.tolist()
    assert pairs.gains(list(range(70))) == pytest.approx(expected.tolist(), rel=1e-12, abs=1e-15)


def test_number_of_near_pairs_is_estimated_from_some_points() -> None:
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(2000, 8)))
    distances = Distances(points)
    nearest = distances.losses(slice(0, 2000), slice(0, 20)).amin(dim=1)
    counted = int((distances.losses(slice(0, 2000), slice(0, 2000)) < nearest[:, None]).sum())
    assert estimate_pairs(distances, nearest) == pytest.approx(counted, rel=0.2)
