"""Where the judge's server is and what opens it: the address, the key, and headers of the user's own."""

import argparse
import base64
import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from shared.cli import UserError, tell

DEFAULT_BASE = "https://api.openai.com/v1"
# What a server on this machine is sent when there is no key; the openai package wants one.
NO_KEY = "no-key"
KEY_VARIABLE = "OPENAI_API_KEY"
# Headers and parameters of an address with such names hold what opens the server.
OPENING_NAMES = re.compile(r"key|token|secret|auth|cookie|passw|credential|signature|^sig$|^code$", re.IGNORECASE)
# Nobody makes up a name of a header's value that is as long.
LONG_VALUE = 20
SCHEMES = {"bearer", "basic", "digest", "token"}


@dataclass(frozen=True)
class ServerAddress:
    """An address, up to and with /v1. `query` is what follows its question mark, for every request.

    `authorization` is the header of a user and a password in the address, None where there are none.
    """

    base: str
    query: str
    authorization: str | None = field(repr=False)

    @property
    def shown(self) -> str:
        """The address for messages: without user, password and query."""
        return self.base

    @property
    def is_on_this_machine(self) -> bool:
        """True where nothing that is sent leaves this machine."""
        host = (urlsplit(self.base).hostname or "").rstrip(".")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")
        mapped = getattr(address, "ipv4_mapped", None) or address
        return mapped.is_loopback or mapped.is_unspecified


def check_base(api_base: str) -> ServerAddress:
    """Return an address in its parts. Raises UserError when it is none."""
    try:
        parts = urlsplit(api_base)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.fragment
        valid = valid and api_base.isprintable() and " " not in api_base
    except ValueError:
        valid = False
    if not valid:
        raise UserError(
            f"--api_base {_shown(api_base)}: not an address like {DEFAULT_BASE} or http://127.0.0.1:8000/v1"
        )
    user_info, _, host = parts.netloc.rpartition("@")
    authorization = None
    if user_info:
        user, _, password = user_info.partition(":")
        pair = f"{unquote(user)}:{unquote(password)}".encode()
        authorization = "Basic " + base64.b64encode(pair).decode("ascii")
    return ServerAddress(f"{parts.scheme}://{host}{parts.path.rstrip('/')}", parts.query, authorization)


def api_header(text: str) -> tuple[str, str]:
    """Parse NAME=VALUE, a header of every request; argparse reports the rest, without the value."""
    name, found, value = text.partition("=")
    if not found or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise argparse.ArgumentTypeError("wanted NAME=VALUE, the name of a header and what it holds")
    if not (value.isascii() and value.isprintable() and value.strip()):
        raise argparse.ArgumentTypeError(f"{name}: the value is empty, or holds a character that no header has")
    return name.lower(), value.strip()


def find_key(api_key: str | None, address: ServerAddress, headers: Mapping[str, str]) -> str | None:
    """Return the key to send as `Authorization: Bearer`, None where something else opens the server.

    That is a header, or the user and password of the address. Raises UserError when there is nothing and the server is
    not on this machine.
    """
    key = (api_key or "").strip()
    if "authorization" in headers or address.authorization:
        return None
    if not key and any(OPENING_NAMES.search(name) for name in (*headers, *dict(parse_qsl(address.query)))):
        return None
    if not key and address.is_on_this_machine:
        return NO_KEY
    if not key:
        raise UserError(
            f"no key for {address.shown}: set the environment variable {KEY_VARIABLE} (any word for a server that "
            "wants none), or give --api_base of a server on this machine"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UserError(
            f"{KEY_VARIABLE} or --api_key: the key holds a space or a character that no key has; copy it again"
        )
    return key


def warn_of_plain_http(address: ServerAddress) -> None:
    """Warn where key and prompts travel to another machine as everybody between can read them."""
    if address.base.startswith("http://") and not address.is_on_this_machine:
        tell(
            f"warning: --api_base {address.shown}: http:// sends the key and the prompts unencrypted to another "
            "machine; use https:// where the server has it"
        )


def find_secrets(argv: list[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return what must not be shown of a command line, also of one that is wrong, and of the environment."""
    values = [environment.get(KEY_VARIABLE, "")]
    addresses = [environment.get("OPENAI_BASE_URL", "")]
    for index, word in enumerate(argv):
        flag, found, value = word.partition("=")
        value = value if found else argv[index + 1] if index + 1 < len(argv) else ""
        meant = difflib.get_close_matches(flag, ("--api_key", "--api_base", "--api_header"), n=1, cutoff=0.8)
        if re.fullmatch(r"-+api[_-]?keys?", flag) or (flag.startswith("-") and OPENING_NAMES.search(flag)):
            values.append(value)
        elif re.fullmatch(r"-+api[_-]?headers?", flag):
            values += _secrets_of_header(value)
        elif re.fullmatch(r"-+api[_-]?base", flag) or "@" in value:
            addresses.append(value)
        elif meant:  # a misspelled flag, whose value argparse will show
            values.append(value)
    for address in addresses:
        values += _secrets_of_address(address)
    return [stripped for value in values for stripped in {value, value.strip()}]


def _secrets_of_header(header: str) -> list[str]:
    name, _, value = header.partition("=")
    if not OPENING_NAMES.search(name) and len(value) < LONG_VALUE:
        return []
    words = [word for word in value.split() if word.casefold() not in SCHEMES]
    return [value, *words] if len(words) > 1 else words


def _secrets_of_address(address: str) -> list[str]:
    found = re.search(r"//([^/?#]*)@", address) or re.search(r"^[^/?#]*:([^/?#]*)@", address)
    values = []
    if found:
        user, has_password, password = found[1].partition(":")
        secret = password if has_password else user
        values = [secret, unquote(secret)]
    query = address.partition("?")[2].partition("#")[0]
    values += [value for name, value in parse_qsl(query) if OPENING_NAMES.search(name)]
    return values


def _shown(address: str) -> str:
    """Return a wrong address for a message, or its scheme alone where it may hold a user and a password."""
    is_plain = re.fullmatch(r"[A-Za-z0-9:/._?=&\[\]-]{0,100}", address) and address.count(":") < 3 and "//" in address
    if is_plain or re.fullmatch(r"[A-Za-z0-9._-]{1,60}(:\d{1,5})?(/[A-Za-z0-9./_-]{0,60})?", address):
        return address
    scheme, found, _ = address.partition("//")
    return f"{scheme}//..." if found and scheme.rstrip(":").isalpha() and len(scheme) < 12 else "(not shown)"
