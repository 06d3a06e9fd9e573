"""A page that is one file and loads nothing.

Its style, its script and its data are in it, and no other address is allowed.

A page NAME has NAME.html (its body), NAME.css and NAME.js in one folder; html_page.* is what all pages share. A long
script has more files, NAME_PART.js, which come after NAME.js in the order of their names.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from shared.files import encode_json

SHARED = Path(__file__).with_suffix("")
# Inside <script> no string may end it or open a comment; U+2028 and U+2029 once ended lines of JavaScript.
ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def make_page(name: Path, title: str, data: Any, parts: dict[str, str]) -> bytes:
    """Return the page `name` (a path without ending).

    What comes from files is in `data` alone, which its script puts in as text. `title` stands in the tab until the
    script sets one, and `parts` go into the body; both are ours, as they are no text but HTML.
    """
    style, script = ("\n" + _read(SHARED, kind) + _read(name, kind) for kind in (".css", ".js"))
    script += "".join(part.read_text(encoding="utf-8") for part in sorted(name.parent.glob(f"{name.name}_*.js")))
    body = _filled(_read(name, ".html"), parts)
    shell = {
        "title": title,
        "style": style,
        "script": script,
        "style_hash": _csp_hash(style),
        "script_hash": _csp_hash(script),
        "body": body,
        "data": encode_data(data),
    }
    return _filled(_read(SHARED, ".html"), shell).encode()


def encode_data(data: Any) -> str:
    """Return strict JSON that may stand inside <script>."""
    return encode_json(data).decode().translate(ESCAPES)


def image_uri(svg: bytes) -> str:
    """Return the address that is an SVG image itself."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _filled(template: str, parts: dict[str, str]) -> str:
    # One pass: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _read(name: Path, ending: str) -> str:
    return name.with_suffix(ending).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
