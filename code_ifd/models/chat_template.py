"""The tokenizer's own chat template: what stands before an answer, and one date for templates that read the clock.

No torch here.
"""

import contextlib
import datetime
import json
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from records.conversations import Message
from shared.cli import UserError
from shared.texts import first_line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# An answer that no template cuts, trims or splits, and that stands in no dataset.
PROBE = "Zq7AnswerOfTheProbe7qZ"
# The name under which transformers gives templates the clock.
CLOCK = "strftime_now"
LOST_ANSWER = (
    "--prompt chat: this model's template leaves the answer out, or changes it so that nothing tells where it begins; "
    "choose another one"
)
# For one record; a text of ten million characters takes less than one.
RENDER_SECONDS = 10.0
# What templates raise beside jinja2's own errors: they compute, index, call themselves, and fill memory.
RENDER_ERRORS = (
    TypeError,
    ValueError,
    LookupError,
    ImportError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    MemoryError,
    RuntimeError,
    OSError,
)
DIRECTIVE = re.compile(r"%[-_0^#]?[A-Za-z]")


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer's chat template, with the date (YYYY-MM-DD) that it is told; None: today's, at each rendering.

    Raises UserError when the tokenizer has none.
    """

    tokenizer: "PreTrainedTokenizerBase"
    date: str | None = None
    _tails: set[str] = field(default_factory=set)  # what this template has written after answers so far

    def __post_init__(self) -> None:
        if not self.tokenizer.chat_template:
            raise UserError(
                "--prompt chat: this model's tokenizer has no chat template; choose another one, such as alpaca"
            )

    @property
    def reads_clock(self) -> bool:
        """Whether the template asks for the date or the time."""
        return CLOCK in str(self.tokenizer.chat_template)

    def prompt(self, turns: list[Message], tools: list[Any] | None = None) -> str:
        """Return all turns so far and the generation prompt: what the model is given to answer.

        Raises UserError when the template refuses these turns.
        """
        return self._render(turns, tools, add_generation_prompt=True)

    def context(self, turns: list[Message], answer: str, tools: list[Any] | None = None) -> str:
        """Return all that the template writes before an answer to these turns.

        For most templates that is `prompt`. Others open a block of thoughts in it, write a header (a channel) or an
        empty block only before real answers, or know no generation prompt: there, what counts is where the template
        puts the answer. The answer itself is never changed, even where the template trims it or cuts its thoughts.
        Raises UserError when the template refuses these turns, or leaves the answer out.
        """
        prompt, whole = self.prompt(turns, tools), self._render([*turns, _answer(answer)], tools)
        if any(whole == prompt + answer + tail for tail in self._tails):
            return prompt
        probe = self._render([*turns, _answer(PROBE)], tools)
        before, found, tail = probe.rpartition(PROBE)
        if not found:
            raise UserError(LOST_ANSWER)
        if not self._knows_answers(turns, probe, tools):
            return prompt
        self._tails.add(tail)
        start = _start_of_answer(whole, before, answer, tail)
        if start is None:
            raise UserError(LOST_ANSWER)
        return whole[:start]

    def _knows_answers(self, turns: list[Message], probe: str, tools: list[Any] | None) -> bool:
        """Tell whether the template writes an answer in another way than a question of the same text."""
        try:
            return self._render([*turns, {"role": "user", "content": PROBE}], tools) != probe
        except UserError:
            return True

    def _render(self, turns: list[Message], tools: list[Any] | None, add_generation_prompt: bool = False) -> str:
        from jinja2 import TemplateError  # here: most runs need none

        options: dict[str, Any] = {"tools": tools} if tools else {}
        try:
            if self.date and self.reads_clock:
                template = self.tokenizer.get_chat_template(tools=tools)
                options["chat_template"] = with_fixed_clock(template, datetime.date.fromisoformat(self.date))
            with time_limit(RENDER_SECONDS):
                text = self.tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=add_generation_prompt, **options
                )
        except (TemplateError, *RENDER_ERRORS) as error:
            roles = ", ".join(turn["role"] for turn in turns[:8])
            raise UserError(
                f"--prompt chat: this model's template refuses turns of {roles}: {_fault(error)}; choose another one"
            ) from None
        return cast("str", text)


def with_fixed_clock(template: str, date: datetime.date) -> str:
    """Return a Jinja template in which `strftime_now(format)` is that of the midnight at which `date` begins.

    A macro takes the place of the function, since transformers lets no function of a caller's into a template.
    """
    midnight = datetime.datetime.combine(date, datetime.time())
    directives = sorted(set(DIRECTIVE.findall(template)), key=lambda text: -len(text))
    replaced = "".join(f"|replace({json.dumps(text)}, {json.dumps(midnight.strftime(text))})" for text in directives)
    # The line end after a block is no text, and what a template has at its beginning stays at the beginning of a line.
    return f"{{% macro {CLOCK}(format) %}}{{{{ format{replaced} }}}}{{% endmacro %}}\n{template}"


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError where the body takes longer.

    Only the main thread of a system with signals can be stopped; elsewhere there is no limit.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it has not ended after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _fault(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it calls itself without end"
    return "it fills all memory" if isinstance(error, MemoryError) else first_line(error)


def _answer(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _start_of_answer(whole: str, before: str, answer: str, tail: str) -> int | None:
    """Return where the answer begins in the rendering of a whole turn.

    `before` and `tail` is what the template has written around another answer.
    """
    if whole.endswith(answer + tail):
        start = len(whole) - len(tail) - len(answer)
        # White space that the template has cut off may stand in its header as well.
        is_header = whole.startswith(before) and start < len(before) and whole[start : len(before)].isspace()
        return len(before) if is_header else start
    if not whole.endswith(tail):
        return None
    found = _start_but_for_spaces(whole[: len(whole) - len(tail)], answer)
    if found is None:  # the template has cut something out of it, such as its thoughts
        return len(before) if whole.startswith(before) else None
    indent = answer[: len(answer) - len(answer.lstrip())]
    keeps_indent = whole.startswith(before) and whole.startswith(indent, len(before))
    return len(before) if keeps_indent and found == len(before) + len(indent) else found


def _start_but_for_spaces(text: str, ending: str) -> int | None:
    """Return where `text` begins to end with `ending`, whatever white space they have; None where it does not."""
    index = len(text)
    for letter in reversed("".join(ending.split())):
        index -= 1
        while index >= 0 and text[index].isspace():
            index -= 1
        if index < 0 or text[index] != letter:
            return None
    return index
