"""Duplicates: the better one stays, each is counted once, and chains are not followed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversity.near_duplicates import remove_duplicates


def on_circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_near_one_goes_and_the_better_one_stays() -> None:
    # 10 degrees apart is a cosine of 0.985, 20 degrees 0.940. The third is near the second, which has gone: it stays.
    distinct = remove_duplicates(["a", "b", "c", "d"], on_circle(0, 10, 20, 90), 0.95)
    assert (distinct.indices.tolist(), distinct.num_same, distinct.num_near) == ([0, 2, 3], 0, 1)


def test_same_text_is_counted_apart_from_near_ones() -> None:
    distinct = remove_duplicates(["a", "b", "a", "c"], on_circle(0, 90, 0, 1), 0.95)
    assert (distinct.indices.tolist(), distinct.num_same, distinct.num_near) == ([0, 1], 1, 1)


def test_cosine_of_one_removes_what_points_the_same_way() -> None:
    vectors = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.3, 0.2, 0.1]], dtype=np.float32)
    assert remove_duplicates(["a", "b", "c"], vectors, 1.0).indices.tolist() == [0, 2]


@pytest.mark.parametrize("block", [1, 3, 1024])
@given(degrees=st.lists(st.integers(0, 359), min_size=1, max_size=20), cosine=st.sampled_from([0.51, 0.95, 0.999]))
def test_kept_ones_are_apart_and_each_removed_one_is_near_a_better_one(
    block: int, degrees: list[int], cosine: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diversity.near_duplicates.BLOCK", block)
        distinct = remove_duplicates([str(number) for number in range(len(degrees))], on_circle(*degrees), cosine)
    kept = distinct.indices.tolist()
    near = np.cos(np.radians(np.subtract.outer(degrees, degrees))) >= cosine - 1e-6
    assert all(not near[one, other] for one in kept for other in kept if one != other)
    assert all(
        any(near[index, better] for better in kept if better < index)
        for index in range(len(degrees))
        if index not in kept
    )
