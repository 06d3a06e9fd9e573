"""The judge's key and passwords in an address are never shown or written, in any encoding."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from judge_runs import judge, write_pairs
from raw_server import Response, completion_of, raw_server

from judging.secrets_hiding import Secrets
from judging.server_address import check_base, warn_of_plain_http

KEY = "sk-s3cr/t+key&0123456789=abcd"
PASSWORD = "hunter2hunter2"

ENCODINGS: dict[str, Callable[[str], str]] = {
    "as_it_is": lambda key: key,
    "capitals": str.upper,
    "escaped_slashes": lambda key: key.replace("/", "\\/"),
    "json_escapes": lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
    "first_letter_escaped": lambda key: f"\\u{ord(key[0]):04x}{key[1:]}",
    "escapes_twice": lambda key: "".join(f"\\\\u{ord(char):04X}" for char in key),
    "hex_escapes": lambda key: "".join(f"\\x{ord(char):02x}" for char in key),
    "octal_escapes": lambda key: "".join(f"\\{ord(char):03o}" for char in key),
    "javascript": lambda key: "".join(f"\\u{{{ord(char):x}}}" for char in key),
    "percent": lambda key: urllib.parse.quote(key, safe=""),
    "percent_all": lambda key: "".join(f"%{ord(char):02x}" for char in key),
    "percent_twice": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "html": html.escape,
    "html_decimal": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "html_hexadecimal": lambda key: "".join(f"&#x{ord(char):X};" for char in key),
    "html_names": lambda key: key.replace("&", "&amp;").replace("/", "&sol;").replace("+", "&plus;"),
    "quoted_printable": lambda key: "".join(f"={ord(char):02X}" for char in key),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "basic_auth": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "basic_auth_of_another_length": lambda key: base64.b64encode(f":{key}".encode()).decode(),
    "base64_for_urls": lambda key: base64.urlsafe_b64encode(f"me:{key}".encode()).decode(),
    "hexadecimal": lambda key: key.encode().hex(),
    "unseen_characters": "\u200b".join,
    "null_bytes": "\0".join,
    "line_ends": "\n".join,
    "percent_of_html": lambda key: urllib.parse.quote(html.escape(key), safe=""),
}


def plain(text: str) -> str:
    """A text with every escape undone by other means than the program's, and what base64 and hex in it stand for."""
    forms = [text]
    for _ in range(4):
        text = html.unescape(urllib.parse.unquote(text))
        text = re.sub(r"\\+u\{?([0-9a-fA-F]{2,4})\}?", lambda match: chr(int(match[1], 16)), text)
        text = re.sub(r"\\+x([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text)
        text = re.sub(r"\\+([0-7]{3})", lambda match: chr(int(match[1], 8)), text).replace("\\", "")
        forms.append(text)
    forms.append(re.sub("=([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), forms[0]))
    for word in re.findall(r"[\w+/-]{8,}", forms[0]):
        for start in range(4):
            cut = word[start:].replace("-", "+").replace("_", "/")
            if cut.isascii():
                forms.append(base64.b64decode(cut[: len(cut) // 4 * 4]).decode("latin-1"))
        if re.fullmatch("(?:[0-9a-f]{2})+", word):
            forms.append(bytes.fromhex(word).decode("latin-1"))
    return re.sub(r"[\s\0\u200b]", "", "\n".join(forms)).lower()


def assert_hidden(secret: str, *texts: str) -> None:
    """No text holds the secret, nor most of it, as its last or first dozen characters."""
    for text in texts:
        decoded = plain(text)
        assert secret[:12].lower() not in decoded and secret[-12:].lower() not in decoded, text


def files_of(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in folder.iterdir()]


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_search_for_leaks_finds_each_encoding(name: str) -> None:
    with pytest.raises(AssertionError):
        assert_hidden(KEY, f"x {ENCODINGS[name](KEY)} y")


@pytest.mark.parametrize("name", ENCODINGS)
def test_in_an_answer(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = completion_of(f"7 8\nYour key is {ENCODINGS[name](KEY)}, is it not?", model=f"m {ENCODINGS[name](KEY)}")
    wrap = write_pairs(tmp_path, 1)
    with raw_server(lambda number, headers: Response(body=body)) as url:
        done = judge(monkeypatch, wrap, url, key=KEY)
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads((tmp_path / "mine_wrap_reviews_gpt4.json").read_text(encoding="utf-8"))["data"]
    assert rows[0]["review"].startswith("7 8\nYour key i") and rows[0]["review"].endswith(" is it not?")
    assert_hidden(KEY, done.stdout, *files_of(tmp_path))


@pytest.mark.parametrize("name", ENCODINGS)
def test_in_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [
        f'{{"error": {{"message": "Wrong: {ENCODINGS[name](KEY)}"}}}}'.encode(),  # as it stands, broken JSON or not
        json.dumps({"error": {"message": f"{'x' * 280} {ENCODINGS[name](KEY)}"}}).encode(),  # cut within the key
    ]
    wrap = write_pairs(tmp_path, 1)
    with raw_server(lambda number, headers: Response(500, body=bodies[number])) as url:
        done = judge(monkeypatch, wrap, url, "--batch_size", 1, "--max_retries", 0, key=KEY)
    assert done.error.startswith("2 requests have no answer: pair 0, order 1: server error (500): ")
    assert_hidden(KEY, done.stdout, done.stderr, *files_of(tmp_path))


LOCATIONS = [name for name in ENCODINGS if name not in ("null_bytes", "line_ends", "unseen_characters")]


@pytest.mark.parametrize("name", LOCATIONS)
def test_in_the_address_of_a_redirect(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Location": f"http://me:{PASSWORD}@host/{'x' * 40}?key={ENCODINGS[name](KEY)}"}
    with raw_server(lambda number, sent: Response(302, headers)) as url:
        done = judge(monkeypatch, write_pairs(tmp_path, 1), url, key=KEY)
    assert "refused (302): moved to http://host/x" in done.error
    assert_hidden(KEY, done.stderr)
    assert_hidden(PASSWORD, done.stderr)


ADDRESSES = [
    "htp://user:{}@host",
    "//user:{}@host/v1",
    "user:{}@host/v1",
    "http:/user:{}@host/v1",
    "http:\\\\user:{}@host/v1",
    "http://user:{}%40host/v1",
    "http://user:{}%2540host/v1",
    "http://user:{}\uff20host/v1",
    "http://user:{}@[host/v1",
    "http://user:{}@host:99999/v1",
    "http://user:{}@",
    "https://host/v1#{}",
    "htp://host/v1?key={}",
    "ftp://user:a/{}@host",
    " http://user:{}@host/v1",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("by_environment", [False, True])
def test_in_an_address_that_is_refused(
    address: str, by_environment: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = address.format(PASSWORD)
    wrap = write_pairs(tmp_path, 1)
    if by_environment:
        done = judge(monkeypatch, wrap, None, key=KEY, base_url=url)
    else:
        done = judge(monkeypatch, wrap, url, key=KEY)
    assert done.error.startswith("--api_base ")
    assert_hidden(PASSWORD, done.stdout, done.stderr)
    assert list(tmp_path.iterdir()) == [wrap]


@pytest.mark.parametrize(
    "flags",
    [
        ["--api_kye", KEY],
        [f"--api_kye={KEY}"],
        ["--apikey", KEY],
        ["--openai_key", KEY],
        ["--key", KEY],
        ["--api_bse", f"http://user:{PASSWORD}@host/v1"],
        ["--batch_size", KEY, "--api_key", KEY],
        ["--api_key", KEY, KEY],
        ["--api_base", KEY, "--api_key", KEY],
    ],
)
def test_in_a_command_line_that_is_refused(flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = judge(monkeypatch, write_pairs(tmp_path, 1), None, *flags, key=None)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert_hidden(KEY, done.stdout, done.stderr)
    assert_hidden(PASSWORD, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "judge.example", "localhost.example", "[2001:db8::1]", "127.0.0.1.nip.io"]
)
def test_plain_http_to_another_machine_is_warned_of(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_plain_http(check_base(f"http://{host}/v1"))
    shown = capsys.readouterr().err
    assert shown.startswith(f"warning: --api_base http://{host}/v1: http:// sends the key and the prompts unencrypted")


@pytest.mark.parametrize(
    "base",
    ["http://127.0.0.1:8", "http://localhost:8", "http://[::1]:8", "http://127.9.9.9:8", "https://judge.example"],
)
def test_nothing_is_warned_of_on_this_machine_or_with_https(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = judge(monkeypatch, write_pairs(tmp_path, 1), f"{base}/v1", "--dry_run", key=KEY)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_text_without_the_key_stays_as_it_is() -> None:
    text = "\\frac{1}{2} &amp; 100%25 \\u0041 c2stczNj =3D \\/ sk-s3cr"
    assert Secrets([KEY]).hide(text) == text
