"""What a run of the judge did, filled while it runs."""

import collections
from dataclasses import dataclass, field

import code_ifd_path  # noqa: F401
from judge_outcomes import Answer, Failure
from judge_requests import JudgeRequest

Unanswered = tuple[JudgeRequest, Failure]


@dataclass
class RunReport:
    """What a run did. `failed` and `refused` are the requests without an answer, each with its last failure."""

    answers: list[Answer] = field(default_factory=list)
    retries: "collections.Counter[str]" = field(default_factory=collections.Counter)
    num_asked_again: int = 0
    failed: list[Unanswered] = field(default_factory=list)
    refused: list[Unanswered] = field(default_factory=list)
    seconds: float = 0.0
