"""What step 3 ranks records by."""

import numpy as np
import pytest

from selection.candidates import random_scores


def test_random_numbers_are_those_of_pcg64_everywhere() -> None:
    # The first number of numpy's generator with seed 0 since version 1.17.
    assert random_scores(1, 0)[0] == 0.6369616873214543


@pytest.mark.parametrize("seed", [0, 1, 10**30])
def test_random_numbers_are_those_of_numpys_generator(seed: int) -> None:
    numbers = random_scores(10**5, seed)
    assert numbers.tolist() == np.random.default_rng(seed).random(10**5).tolist()
    assert all(0 <= number < 1 for number in numbers)


def test_longer_draw_begins_with_the_shorter() -> None:
    assert random_scores(100, 3)[:10].tolist() == random_scores(10, 3).tolist()
