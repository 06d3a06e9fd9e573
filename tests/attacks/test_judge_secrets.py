"""A judge's key or password in what is printed or written, in any encoding."""

import base64
import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from judge_runs import Done, judge, write_pairs
from raw_judge import RawServer, Response, said

from judging.secrets_hiding import Secrets
from judging.server_address import check_base, find_secrets
from shared.cli import UserError

KEY = "sk-Secret/0123+456789abcdef"
ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "escaped slash": lambda key: key.replace("/", "\\/"),
    "first letter": lambda key: f"\\u{ord(key[0]):04x}{key[1:]}",
    "all letters": lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
    "twice escaped": lambda key: "".join(f"\\\\u{ord(char):04x}" for char in key),
    "hex escapes": lambda key: "".join(f"\\\\x{ord(char):02x}" for char in key),
    "percent": lambda key: urllib.parse.quote(key, safe=""),
    "percent of all": lambda key: "".join(f"%{ord(char):02x}" for char in key),
    "percent twice": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "html numbers": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "html hex": lambda key: "".join(f"&#x{ord(char):X};" for char in key),
    "html of a slash": lambda key: key.replace("/", "&sol;"),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "basic": lambda key: base64.b64encode(f"u:{key}".encode()).decode(),
    "basic of two": lambda key: base64.urlsafe_b64encode(f"me:{key}:more".encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "zero-width": lambda key: "\u200b".join(key),
    "soft hyphen": lambda key: "\u00ad".join(key),
    "wide letters": lambda key: "".join(chr(ord(char) + 0xFEE0) for char in key),
    "capitals": str.upper,
    "cut into lines": lambda key: f"{key[:9]}\\n{key[9:]}",
    "spaced": lambda key: " ".join(key),
    "quoted-printable": lambda key: "".join(f"={ord(char):02X}" for char in key),
}


def everything(folder: Path, done: Done) -> str:
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()]
    return "\n".join([*texts, done.stdout, done.stderr])


def assert_hidden(encoded: str, folder: Path, done: Done) -> None:
    """Nothing of the key is there: not as it was sent, not after parsing, not half of it."""
    written = everything(folder, done)
    assert "Traceback" not in written
    for form in (
        encoded,
        json.loads(f'"{encoded}"') if '"' not in encoded else encoded,
        KEY,
        KEY[4:],
        KEY[:-3],
        KEY.upper(),
    ):
        assert form not in written
    assert "[key]" in written


def run_against(monkeypatch: pytest.MonkeyPatch, folder: Path, response: Response, *flags: str) -> Done:
    with RawServer(lambda body, headers: response) as server:
        return judge(monkeypatch, write_pairs(folder, 1), server.url, "--max_retries", "0", *flags, key=KEY)


@pytest.mark.parametrize("name", ENCODINGS)
def test_key_in_an_error_is_hidden(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = ENCODINGS[name](KEY)
    body = f'{{"error": {{"message": "Wrong key {encoded} here."}}}}'.encode()
    done = run_against(monkeypatch, tmp_path, (401, {}, body))
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert_hidden(encoded, tmp_path, done)


@pytest.mark.parametrize("name", ENCODINGS)
def test_key_in_an_answer_is_hidden_in_all_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = ENCODINGS[name](KEY)
    body = said("5 6\n@").replace(b"@", encoded.encode())
    done = run_against(monkeypatch, tmp_path, (200, {}, body))
    assert done.returncode == 0
    assert_hidden(encoded, tmp_path, done)


@pytest.mark.parametrize("name", ["plain", "percent", "percent of all", "percent twice", "base64", "basic", "hex"])
def test_key_in_a_location_is_hidden(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = ENCODINGS[name](KEY)
    done = run_against(monkeypatch, tmp_path, (302, {"Location": f"http://127.0.0.1/in/{encoded}?in={encoded}"}, b""))
    assert done.returncode == 2
    assert_hidden(encoded, tmp_path, done)


@pytest.mark.parametrize("status", [200, 400, 403, 404, 429, 500, 503])
def test_key_is_hidden_before_the_words_are_cut(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In every place, the key lies across the end of what is shown.
    for num_chars in (70, 285, 190):
        done = run_against(monkeypatch, tmp_path, (status, {}, b"x" * num_chars + KEY.encode() + b"<html>"))
        assert done.returncode == 2 and KEY[:6] not in everything(tmp_path, done)


@pytest.mark.parametrize("field", ["model", "finish_reason"])
def test_key_in_another_field_is_hidden(field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = said("5 6\nYes.").replace(b'"judge-1"' if field == "model" else b'"stop"', json.dumps(KEY).encode())
    done = run_against(monkeypatch, tmp_path, (200, {}, body))
    assert_hidden(KEY, tmp_path, done)


@pytest.mark.parametrize(
    "address",
    [
        "htp://user:Passw0rd-1@host/v1",
        "http//user:Passw0rd-1@host/v1",
        "user:Passw0rd-1@host",
        "http:/user:Passw0rd-1@host/v1",
        "http://user:Passw0rd-1@",
        "http://user:Passw0rd-1@host:99999/v1",
        "http://user:Passw0rd-1@host/v1#part",
        "http://user:Passw0rd-1@ho st/v1",
        "ftp://user:Passw0rd-1@host",
        "//user:Passw0rd-1@host/v1",
    ],
)
def test_password_in_a_wrong_address_is_not_shown(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = judge(monkeypatch, write_pairs(tmp_path, 1), address)
    assert done.error.startswith("--api_base ") and "not an address like" in done.error
    assert "Passw0rd" not in everything(tmp_path, done)


@pytest.mark.parametrize(
    ("password", "sent"), [("Passw0rd-1", "Passw0rd-1"), ("p%40ss:w%2Frd1", "p@ss:w/rd1"), ("", "")]
)
def test_user_and_password_in_the_address_work(
    password: str, sent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(lambda body, headers: (200, {}, said(f"5 6\n{headers['authorization']} {sent}"))) as server:
        url = server.url.replace("//", f"//user:{password}@")
        done = judge(monkeypatch, write_pairs(tmp_path, 1), url, key=None)
        assert done.returncode == 0
        assert server.headers[0]["authorization"] == "Basic " + base64.b64encode(f"user:{sent}".encode()).decode()
    if sent:
        assert sent not in everything(tmp_path, done) and password not in everything(tmp_path, done)


@pytest.mark.parametrize(
    "flags",
    [
        ["--api_key", KEY, "--temperature", "warm"],
        ["--api-key", KEY, "--nonsense", KEY],
        [f"--api_key={KEY}", "--max_tokens", KEY],
        ["--api_header", f"api-key={KEY}", "--seed", KEY],
        ["--api_header", f"Authorization=Bearer {KEY}", "--extra_body", KEY],
        ["--api_header", f"X-Token:{KEY}"],
        ["--api_keys", KEY],
    ],
    ids=str,
)
def test_key_on_a_wrong_command_line_is_not_shown(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = judge(monkeypatch, write_pairs(tmp_path, 1), None, *flags, key=None)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert KEY not in everything(tmp_path, done)


@pytest.mark.parametrize("header", [f"api-key={KEY}", f"Authorization=Bearer {KEY}", f"X-Gateway={KEY}"])
def test_secret_of_a_header_is_hidden(header: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(lambda body, headers: (200, {}, said(f"5 6\nYou sent {headers}"))) as server:
        done = judge(monkeypatch, write_pairs(tmp_path, 1), server.url, "--api_header", header, key="another-key")
    assert done.returncode == 0
    assert_hidden(KEY, tmp_path, done)


@pytest.mark.parametrize("host", ["http://192.0.2.1/v1", "http://judge.example/v1", "http://[2001:db8::1]:80/v1"])
def test_unencrypted_key_to_another_machine_is_warned_of(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--timeout_seconds", "0.05", "--max_retries", "0"]
    done = judge(monkeypatch, write_pairs(tmp_path, 1), host, *flags)
    assert f"warning: --api_base {host}: http:// sends the key and the prompts unencrypted" in done.stderr


@pytest.mark.parametrize(
    "base", ["http://localhost:1/v1", "http://127.0.0.1:1", "http://127.8.9.1:1", "http://[::1]:1", "https://a.example"]
)
def test_this_machine_and_https_are_not_warned_of(base: str) -> None:
    address = check_base(base)
    assert address.is_on_this_machine or base.startswith("https")


def test_words_that_are_no_key_stay() -> None:
    text = "5 6\nA = B; 50%25 of x\\u0041 &amp; sk-other/0123"
    assert Secrets([KEY]).hide(text) == text


def test_what_opens_a_server_is_found_in_flags_and_variables() -> None:
    environment = {
        "OPENAI_API_KEY": "from-env",
        "OPENAI_BASE_URL": "https://u:from-url@host?sig=from-query&v=2024-10-21",
    }
    found = find_secrets(["--api_key", "a-flag", "--api_header=x-api-key=a-header"], environment)
    assert {"from-env", "from-url", "from-query", "a-flag", "a-header"} <= set(found) and "2024-10-21" not in found


@pytest.mark.parametrize("base", ["http://", "https://:80/v1", "http://host:0/v1", "host", "", "http://[::1/v1"])
def test_an_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(UserError, match="not an address like"):
        check_base(base)
