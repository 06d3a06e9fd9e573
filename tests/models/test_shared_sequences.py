"""Sequences that are read once: each finds its own tokens, nothing is read twice, and contexts do not mix."""

from hypothesis import given
from hypothesis import strategies as st

from models.sequences import TokenSequence
from models.shared_sequences import Place, scored_tokens, share

few_ids = st.lists(st.integers(0, 2), min_size=2, max_size=8)  # of so few that many begin with others


@st.composite
def token_sequences(draw: st.DrawFn) -> list[TokenSequence]:
    """Sequences of few ids, scored from anywhere on."""
    return [TokenSequence(ids, draw(st.integers(1, len(ids) - 1))) for ids in draw(st.lists(few_ids, max_size=12))]


@given(token_sequences(), st.one_of(st.none(), st.integers(1, 8)))
def test_every_sequence_finds_its_tokens_after_the_same_context(
    sequences: list[TokenSequence], short_context: int | None
) -> None:
    shared, places = share(sequences, short_context)
    for sequence, place in zip(sequences, places, strict=True):
        read = shared[place.shared]
        assert read.input_ids[: len(sequence.input_ids)].tolist() == sequence.input_ids
        expected = list(range(sequence.first_scored, len(sequence.input_ids)))
        assert read.scored[place.start : place.stop].tolist() == expected


@given(token_sequences())
def test_nothing_that_begins_another_is_read(sequences: list[TokenSequence]) -> None:
    read = [one.input_ids.tolist() for one in share(sequences)[0]]
    assert not any(one == other[: len(one)] for one in read for other in read if one is not other)


@given(token_sequences())
def test_no_token_is_scored_that_nobody_asks_for(sequences: list[TokenSequence]) -> None:
    shared, places = share(sequences)
    asked: list[set[int]] = [set() for _ in shared]
    for place in places:
        asked[place.shared] |= set(range(place.start, place.stop))
    assert [len(one) for one in asked] == [len(one.scored) for one in shared]


@given(token_sequences(), st.integers(1, 8))
def test_both_sides_of_a_short_context_are_read_apart(sequences: list[TokenSequence], short_context: int) -> None:
    shared, places = share(sequences, short_context)
    for sequence, place in zip(sequences, places, strict=True):
        assert (len(sequence.input_ids) <= short_context) == (len(shared[place.shared]) <= short_context)


def test_turns_are_spans_of_the_longest() -> None:
    turns = [TokenSequence([5, 6, 7, 8], 2), TokenSequence([5, 6, 7, 8, 9, 1, 2], 6), TokenSequence([5, 6, 4], 1)]
    shared, places = share(turns)
    assert [(one.input_ids.tolist(), one.scored.tolist()) for one in shared] == [
        ([5, 6, 7, 8, 9, 1, 2], [2, 3, 6]),
        ([5, 6, 4], [1, 2]),
    ]
    assert places == [Place(0, 0, 2), Place(0, 2, 3), Place(1, 0, 2)]


def test_sequences_that_share_nothing_keep_their_order() -> None:
    sequences = [TokenSequence([3, 1], 1), TokenSequence([9, 1], 1), TokenSequence([1, 1], 1)]
    assert [one.input_ids.tolist() for one in share(sequences)[0]] == [[3, 1], [9, 1], [1, 1]]


def test_scored_tokens_of_a_batch_are_in_order() -> None:
    shared, _ = share([TokenSequence([5, 6, 7], 1), TokenSequence([8, 9], 1)])
    tokens = scored_tokens(shared)
    assert tokens.sequence.tolist() == [0, 0, 1]
    assert tokens.index.tolist() == [1, 2, 1]
    assert tokens.target.tolist() == [6, 7, 9]
