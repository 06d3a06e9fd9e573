r"""The key and the passwords of a run: taken out of all that is printed or written, in whatever encoding it comes back.

A server may echo the key in an error, escape it (`\u0073k-`, `\/`, `%2F`, `&#45;`), or put it into base64. One function
looks for it after decoding: `Secrets.hide`. `Secrets.guard` puts it where text leaves the program.
"""

import base64
import contextlib
import html
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO, cast

from shared.cli import Interrupted, UserError

HIDDEN = "[key]"
# A short key, made up for a server that wants none, may be a word of an answer. In an error of a server it is hidden.
SHORTEST_IN_ERRORS = 4
SHORTEST = 7
# The capitals of shorter ones count, and so do spaces within them.
SHORTEST_WITHOUT_CASE = 12
MAX_ENCODINGS = 5  # one in the other

_ESCAPES = re.compile(
    r"\\u\{([0-9a-f]{1,6})\}|(?-i:\\u)([0-9a-f]{4})|(?-i:\\U)([0-9a-f]{8})|\\x([0-9a-f]{2})|\\([0-7]{3})|\\(.)"
    r"|%([0-9a-f]{2})|%u([0-9a-f]{4})|=([0-9A-F]{2})|=\r?\n|(&#?\w{1,32};?)",
    re.IGNORECASE | re.DOTALL,
)
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_STANDARD_BASE64 = {ord("-"): "+", ord("_"): "/"}
_NUM_OCTAL, _NUM_LITERAL, _NUM_ENTITY = 5, 6, 10  # groups of _ESCAPES


@dataclass(frozen=True)
class _Decoded:
    """A text after decoding: character i of `text` stands for the original's characters from begins[i] to ends[i]."""

    text: str
    begins: Sequence[int]
    ends: Sequence[int]


class Secrets:
    """What must never be shown. Texts that are shorter than SHORTEST_IN_ERRORS are nobody's secret."""

    def __init__(self, values: Iterable[str]) -> None:
        kept = {value for value in values if len(value) >= SHORTEST_IN_ERRORS}
        self._needles = [_Needle(value) for value in sorted(kept, key=len, reverse=True)]

    def __repr__(self) -> str:
        return f"Secrets({len(self._needles)} hidden)"

    def hide(self, text: str, shortest: int = SHORTEST) -> str:
        """Return a text with a mark in place of every secret of at least `shortest` characters, however encoded."""
        for needle in self._needles:
            if needle.num_chars >= shortest:
                text = needle.hide(text)
        return text

    def hide_in(self, value: Any) -> Any:
        """Return a JSON value with the secrets hidden in every string of it."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, dict):
            return {
                self.hide(key) if isinstance(key, str) else key: self.hide_in(member) for key, member in value.items()
            }
        return [self.hide_in(member) for member in value] if isinstance(value, list) else value

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Hide the secrets in all that is printed inside, and in the error that leaves it."""
        out, err = (cast(TextIO, _HidingStream(stream, self)) for stream in (sys.stdout, sys.stderr))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                yield
        except UserError as error:
            raise UserError(self.hide(str(error))) from None
        except Interrupted as error:
            raise Interrupted(self.hide(str(error))) from None


class _HidingStream:
    """A text stream that hides secrets in each piece that it is given and passes it on; else it is that stream."""

    def __init__(self, stream: TextIO, secrets: Secrets) -> None:
        self._stream, self._secrets = stream, secrets

    def write(self, text: str) -> int:
        """Write a text without the secrets; returns the length of what was given."""
        self._stream.write(self._secrets.hide(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Needle:
    """One secret, and how to find it."""

    def __init__(self, value: str) -> None:
        self.num_chars = len(value)
        self._plain = _plain(value, len(value))
        self._ignores_case = len(value) >= SHORTEST_WITHOUT_CASE
        data = value.encode("utf-8", "surrogatepass")
        is_long = len(value) >= SHORTEST
        self._hex = data.hex() if is_long else ""
        self._base64 = [_inner_base64(data, offset) for offset in range(3)] if is_long else []

    def hide(self, text: str) -> str:
        """Return a text without the secret."""
        if not self._is_in(text):  # most are without, and to keep track of places takes a hundred times as long
            return text
        spans: list[tuple[int, int]] = []
        decoded = _Decoded(text, range(len(text)), range(1, len(text) + 1))
        for _ in range(MAX_ENCODINGS):
            shown = _without_invisible(decoded, self.num_chars)
            spans += [(shown.begins[begin], shown.ends[end - 1]) for begin, end in self._find(shown.text)]
            if not _ESCAPES.search(decoded.text):
                break
            decoded = _decode_once(decoded)
        return _cut_out(text, spans) if spans else text

    def _is_in(self, text: str) -> bool:
        for _ in range(MAX_ENCODINGS):
            shown = text if text.isascii() else unicodedata.normalize("NFKC", text)
            shown = shown if shown.isprintable() else "".join(filter(str.isprintable, shown))
            if any(self._find(shown.replace(" ", "") if self._ignores_case else shown)):
                return True
            decoded = _ESCAPES.sub(_read_escape, text)
            if decoded == text:
                break
            text = decoded
        return False

    def _find(self, text: str) -> Iterator[tuple[int, int]]:
        lower = text.translate(_LOWER)
        if self._ignores_case:
            yield from _places(lower, self._plain.translate(_LOWER))
        else:
            yield from _places(text, self._plain)
        yield from _places(lower, self._hex)
        text = text.translate(_STANDARD_BASE64)
        for inner in self._base64:
            for begin, end in _places(text, inner):
                # The letters on either side hold some bits of the secret.
                yield max(begin - 1, 0), min(end + 1, len(text))


def _places(text: str, needle: str) -> Iterator[tuple[int, int]]:
    at = text.find(needle) if needle else -1
    while at >= 0:
        yield at, at + len(needle)
        at = text.find(needle, at + 1)


def _inner_base64(data: bytes, offset: int) -> str:
    """Return what base64 has of `data` for sure, where `offset` bytes, modulo 3, stand before it."""
    coded = base64.b64encode(bytes(offset) + data).decode("ascii")
    first = (0, 2, 3)[offset]  # letters with bits of what stands before
    return coded[first : (offset + len(data)) * 8 // 6]


def _plain(text: str, num_chars: int) -> str:
    """Return a text as it is compared: compatible forms alike, without what nobody sees."""
    return _without_invisible(_Decoded(text, [0] * len(text), [0] * len(text)), num_chars).text


def _without_invisible(decoded: _Decoded, num_chars: int) -> _Decoded:
    """Return a text without control and format characters, and white space where the secret is a long one."""
    drops_space = num_chars >= SHORTEST_WITHOUT_CASE
    if decoded.text.isascii() and decoded.text.isprintable() and not (drops_space and " " in decoded.text):
        return decoded
    chars, begins, ends = [], [], []
    for char, begin, end in zip(decoded.text, decoded.begins, decoded.ends, strict=True):
        for shown in char if char.isascii() else unicodedata.normalize("NFKC", char):
            if shown.isprintable() and not (drops_space and shown == " "):
                chars.append(shown)
                begins.append(begin)
                ends.append(end)
    return _Decoded("".join(chars), begins, ends)


def _decode_once(decoded: _Decoded) -> _Decoded:
    """Return a text with each escape of it read as the character that it stands for."""
    chars: list[str] = []
    begins: list[int] = []
    ends: list[int] = []
    at = 0
    for match in _ESCAPES.finditer(decoded.text):
        chars.append(decoded.text[at : match.start()])
        begins += decoded.begins[at : match.start()]
        ends += decoded.ends[at : match.start()]
        read = _read_escape(match)
        chars.append(read)
        begins += [decoded.begins[match.start()]] * len(read)
        ends += [decoded.ends[match.end() - 1]] * len(read)
        at = match.end()
    chars.append(decoded.text[at:])
    return _Decoded("".join(chars), [*begins, *decoded.begins[at:]], [*ends, *decoded.ends[at:]])


def _read_escape(match: "re.Match[str]") -> str:
    if (index := match.lastindex) is None:
        return ""  # a soft line end
    if index == _NUM_LITERAL:
        return "" if match[index] in "nrtbf0" else match[index]
    if index == _NUM_ENTITY:
        return html.unescape(match[index])
    code = int(match[index], 8 if index == _NUM_OCTAL else 16)
    return chr(code) if code <= sys.maxunicode else match[0]


def _cut_out(text: str, spans: list[tuple[int, int]]) -> str:
    pieces, at = [], 0
    for begin, end in sorted(spans):
        if begin >= at:
            pieces += [text[at:begin], HIDDEN]
        at = max(at, end)
    return "".join([*pieces, text[at:]])
