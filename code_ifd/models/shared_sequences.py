"""Sequences that a model reads once for several: what begins another sequence is not read again.

A causal model predicts a token from those before it, so the tokens of a sequence score the same in every longer one
that begins with its ids. Such sequences are the turns of a conversation, and responses that are the same. No torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.sequences import TokenSequence


@dataclass(frozen=True)
class SharedSequence:
    """Token ids that are read once, and which of them are scored: those that any of its sequences scores."""

    input_ids: np.ndarray  # (tokens,) int64
    scored: np.ndarray  # (num_scored,) int64, indices of tokens in rising order, 1 or more

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True)
class Place:
    """Where the scored tokens of a sequence are: [start, stop) of those of the shared sequence number `shared`."""

    shared: int
    start: int
    stop: int


@dataclass(frozen=True)
class ScoredTokens:
    """The scored tokens of a batch, sequence by sequence: arrays of one entry a token."""

    sequence: np.ndarray  # number of the sequence in the batch
    index: np.ndarray  # index of the token in its sequence
    target: np.ndarray  # its id


def share(
    sequences: Sequence[TokenSequence], short_context: int | None = None
) -> tuple[list[SharedSequence], list[Place]]:
    """Return the sequences to read, and for each of `sequences` where its tokens are in them.

    A model with a `short_context` reads longer texts otherwise: no sequence beyond it serves one within it.
    """
    groups = _groups(sequences, short_context)
    shared, places = [], dict[int, Place]()
    for number, members in enumerate(groups):
        input_ids = np.array(sequences[members[0]].input_ids, dtype=np.int64)
        is_scored = np.zeros(len(input_ids), dtype=bool)
        for member in members:
            is_scored[sequences[member].first_scored : len(sequences[member].input_ids)] = True
        scored = np.flatnonzero(is_scored)
        shared.append(SharedSequence(input_ids, scored))
        for member in members:
            start = int(np.searchsorted(scored, sequences[member].first_scored))
            places[member] = Place(number, start, start + sequences[member].num_scored)
    return shared, [places[index] for index in range(len(sequences))]


def scored_tokens(batch: Sequence[SharedSequence]) -> ScoredTokens:
    """Return all scored tokens of a batch."""
    return ScoredTokens(
        np.repeat(np.arange(len(batch)), [len(sequence.scored) for sequence in batch]),
        np.concatenate([sequence.scored for sequence in batch]),
        np.concatenate([sequence.input_ids[sequence.scored] for sequence in batch]),
    )


def _groups(sequences: Sequence[TokenSequence], short_context: int | None) -> list[list[int]]:
    """Return the numbers of sequences that are read as one, the longest of them first; groups by their first number."""

    def key(number: int) -> tuple[bool, list[int]]:
        ids = sequences[number].input_ids
        return short_context is not None and len(ids) > short_context, ids

    groups: list[list[int]] = []
    # In falling order a sequence comes right after those that begin with it, if there are any.
    for number in sorted(range(len(sequences)), key=key, reverse=True):
        is_beyond, ids = key(number)
        longest = key(groups[-1][0]) if groups else None
        if longest is not None and longest[0] == is_beyond and longest[1][: len(ids)] == ids:
            groups[-1].append(number)
        else:
            groups.append([number])
    return sorted(groups, key=min)
