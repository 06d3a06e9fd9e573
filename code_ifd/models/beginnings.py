"""Long texts are cut before they are tokenized, so that memory follows `max_length` and not the texts.

A token id depends on the text around it, and not on what stands far behind it: a pre-tokenizer looks a few characters
ahead, and the choice among merges or pieces is settled after a few tokens (Berglund and van der Merwe 2023, arXiv
2309.08715, for BPE). So a text may be cut well behind the last token that is kept. That is not taken
for granted: the cut text, and two longer ones, must begin with the same tokens, or a longer cut is tried, up to the
whole text. Their lengths leave different remainders, so that digits that are grouped from their end differ too. Where a
special token may take all the white space before it, a cut never stands in white space, nor right after it.

No torch here.
"""

import re
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Texts of less than twice this many characters a token are not cut.
CHARS_PER_TOKEN = 8
# Tokens between the last one that counts and the cut.
SPARE_TOKENS = 64
# Characters that are kept behind white space that the cut would have stood in: no special token is longer.
SPARE_CHARS = 256
NO_SPACE = re.compile(r"\S")

# What is kept of a cut text, or None where the text is too short to have it.
KeptOf = Callable[[str], Hashable | None]


def beginning_of(tokenizer: "PreTrainedTokenizerBase", text: str, num_tokens: int, kept_of: KeptOf) -> str:
    """Return a beginning of `text` of which the same is kept as of the whole: at least `num_tokens` tokens.

    A text that is not much longer is returned whole.
    """
    size = CHARS_PER_TOKEN * (num_tokens + SPARE_TOKENS)
    while 2 * size + 2 < len(text):
        ends = (size, 2 * size + 1, 2 * size + 2)
        one, *longer = (text[: _behind_space(text, end) if takes_space(tokenizer) else end] for end in ends)
        kept = kept_of(one)
        if kept is not None and all(kept_of(other) == kept for other in longer):
            return one
        size *= 2
    return text


def first_ids(ids: list[int], num_tokens: int) -> tuple[int, ...] | None:
    """Return the first token ids, and None where there are not enough behind them to trust them."""
    return tuple(ids[:num_tokens]) if len(ids) >= num_tokens + SPARE_TOKENS else None


def takes_space(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Tell whether a special token takes all the white space before it, as the <mask> of RoBERTa does."""
    return any(token.lstrip for token in tokenizer.added_tokens_decoder.values())


def _behind_space(text: str, num_chars: int) -> int:
    while num_chars < len(text) and text[num_chars - 1].isspace():
        found = NO_SPACE.search(text, num_chars)
        num_chars = found.end() + SPARE_CHARS if found else len(text)
    return num_chars
