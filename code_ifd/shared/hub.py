"""Asking the Hugging Face Hub: its answer, or within ten seconds the reason why there is none."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.cli import UserError

# The Hub client's own retries go on for most of a minute, and a dead name server holds a look-up for longer.
HUB_TIMEOUT_SECONDS = 8.0

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class HubEntry:
    """A repository of the Hub, in the words of the messages."""

    kind: str  # model or dataset
    name: str
    revision: str
    where: str  # what a message about it begins with: the flag and its value
    unless: str  # what else the name could have meant, and did not
    revision_flag: str


@dataclass(frozen=True)
class NoAnswer:
    """The Hub could not be asked; `reason` is part of a line."""

    reason: str


def ask_hub(entry: HubEntry, question: Callable[[], Answer], seconds: float = HUB_TIMEOUT_SECONDS) -> Answer | NoAnswer:
    """Return what `question`, a call of the Hub's client, returns; NoAnswer when `seconds` have passed before.

    Raises UserError when the Hub answers that there is no such repository, or that it may not be read.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HTTPError

    if constants.HF_HUB_OFFLINE:
        return NoAnswer("HF_HUB_OFFLINE is set")
    answers: list[Answer] = []
    errors: list[Exception] = []

    def ask() -> None:
        """Put the answer, or the error, where the caller finds it."""
        try:
            answers.append(question())
        except (HTTPError, OSError, ValueError, TypeError, KeyError) as error:
            errors.append(error)

    # A thread that may be left behind: a name look-up cannot be given a time limit.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if answers:
        return answers[0]
    if not errors:
        return NoAnswer(f"no answer in {seconds:.0f} s")
    refusal = _refusal(errors[0], entry)
    if refusal:
        raise UserError(refusal)
    return NoAnswer(reason_of(errors[0]))


@contextlib.contextmanager
def quiet_client() -> Iterator[None]:
    """Keep the Hub's client from writing its warnings of each retry: what is wrong in the end is told in one line."""
    from huggingface_hub.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def reason_of(error: Exception) -> str:
    """Return an error of the Hub's client as part of a line, without the user's access token."""
    from huggingface_hub import get_token

    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    token = get_token()
    return text.replace(token, "***") if token else text


def _refusal(error: Exception, entry: HubEntry) -> str | None:
    """Return what the Hub says against this repository, None when it says nothing about it."""
    from huggingface_hub.errors import (
        DisabledRepoError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    # To a stranger the Hub says 401 of what is private and of what is not there alike; only a wrong token is named.
    wrong_token = status in (401, 403) and "credentials" in response.headers.get("X-Error-Message", "")
    if isinstance(error, RevisionNotFoundError):
        return f"{entry.revision_flag} {entry.revision}: {entry.name} has no such branch, tag or commit on the Hub"
    if isinstance(error, GatedRepoError):
        return f"{entry.where}: gated on the Hub; accept its terms there and run `hf auth login`"
    if isinstance(error, RepositoryNotFoundError) or (status in (401, 404) and not wrong_token):
        return (
            f"{entry.where}: {entry.unless}the Hub has no such {entry.kind}, or it is private "
            "(then run `hf auth login`)"
        )
    if isinstance(error, HFValidationError):
        return f"{entry.where}: no such {'file or ' if entry.kind == 'dataset' else ''}folder, and not a valid Hub id"
    if isinstance(error, DisabledRepoError):
        return f"{entry.where}: disabled on the Hub; choose another {entry.kind}"
    if isinstance(error, HfHubHTTPError) and (wrong_token or status == 403):
        return (
            f"{entry.where}: the Hub does not let this access token read it (status {status}); "
            "run `hf auth login`, or unset or renew HF_TOKEN"
        )
    return None
