"""One request, signed three times: by our signer and by Huawei Cloud's own for Python and for Node."""

from __future__ import annotations

import json
import os
import random
import string
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow_provider_dli.client.call import Request
from airflow_provider_dli.client.credentials import AccessKey, canonical_query, sign
from tests.client.test_signing_conformance import DATE, official

NODE = Path(__file__).parent / "node"
#: where make conformance installs the Node signer
INSTALLED = Path(os.environ.get("DLI_NODE_SIGNER", Path(__file__).parents[2] / ".cache" / "node"))

_WORD = string.ascii_letters + string.digits + "-_.~"
_NON_ASCII = "äßéñ作业夜🙂\u200d"
#: in a query or a body, anything goes
ALPHABET = _WORD + "!*'();:@&=+$,/?#[]% \t\"<>\\^`{|}" + _NON_ASCII
#: in a path, what Node's signer does not encode twice, see the deviations
PATH_ALPHABET = _WORD + "!*();:@&=+$,%" + _NON_ASCII
HASH_HEADER = "X-Sdk-Content-Sha256"


@dataclass(frozen=True)
class Case:
    """A request before it is signed.

    :param path: decoded
    :param pairs: of the query, decoded, in any order
    :param headers: beside host, date and security token
    :param body: a JSON object, or None
    :param raw: a body that is not JSON; its hash is in a header
    """

    method: str
    host: str
    path: str
    key: AccessKey
    pairs: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: dict[str, Any] | None = None
    raw: bytes = field(default=b"", repr=False)

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        if self.body is None:
            return self.raw
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()

    def request(self) -> Request:
        """Return it as our client builds it."""
        query = canonical_query(self.pairs)
        url = f"https://{self.host}{quote(self.path, safe='/')}{'?' if query else ''}{query}"
        return Request(self.method, url, (("Host", self.host), *self.headers), self.content)

    def for_node(self) -> dict[str, Any]:
        """Return it as the signer for Node takes it."""
        query: dict[str, list[str]] = {}
        for name, value in self.pairs:
            query.setdefault(name, []).append(value)
        headers = {"host": self.host, **dict(self.headers), "X-Sdk-Date": DATE}
        if self.key.security_token:
            headers["X-Security-Token"] = self.key.security_token
        request = {
            "method": self.method,
            "endpoint": f"https://{self.host}{self.path}",
            "queryParams": {name: values if len(values) > 1 else values[0] for name, values in query.items()},
            "headers": headers,
            "data": self.body,
        }
        return {"request": request, "accessKey": self.key.access_key, "secretKey": self.key.secret_key}


def ours(case: Case) -> str:
    """Return the Authorization that our signer writes."""
    return dict(sign(case.request(), case.key, DATE).headers)["Authorization"]


def pythons(case: Case) -> str:
    """Return the Authorization that the signer of the SDK for Python writes."""
    signed = official(case.request(), list(case.pairs), case.key)
    return str(signed.header_params["Authorization"])


def nodes(cases: Iterable[Case]) -> list[str]:
    """Return the Authorization that the signer of the SDK for Node writes, for each; or its error."""
    lines = [json.dumps(case.for_node()) for case in cases]
    done = subprocess.run(
        ["node", NODE / "sign.js"],  # noqa: S607 - whichever this machine has
        input="\n".join(lines),
        cwd=INSTALLED,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(lines)
    return [result.get("error") or result["headers"]["Authorization"] for result in results]


def text(chance: random.Random, longest: int, alphabet: str = ALPHABET) -> str:
    """Draw a string, sometimes empty."""
    return "".join(chance.choices(alphabet, k=chance.randrange(longest)))


def draw(chance: random.Random) -> Case:
    """Draw a request of the kind that both official signers sign alike."""
    segments = [text(chance, 12, PATH_ALPHABET) for _ in range(chance.randrange(6))]
    names = [text(chance, 12) or "a" for _ in range(chance.randrange(1, 5))]
    value = text(chance, 30, string.ascii_letters + " ;=,/é")
    more = [("X-Project-Id", "p" * 32), ("x-lower", f"v{value}v"), ("X-Language", "en-us"), ("X-9", "~*+%")]
    token = text(chance, 400, _WORD + "+/=") if chance.random() < 0.3 else None
    case = Case(
        chance.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD")),
        chance.choice(["dli.cn-north-4.myhuaweicloud.com", "127.0.0.1:8080", "dli.example:8443"]),
        "/" + "/".join(segments) + chance.choice(["", "/"]),
        AccessKey(f"AK{chance.randrange(10**18)}", text(chance, 60) or "s", token or None),
        tuple((chance.choice(names), text(chance, 20)) for _ in range(chance.randrange(8))),
        (("Content-Type", "application/json"), *(each for each in more if chance.random() < 0.5)),
    )
    return with_body(case, chance)


def with_body(case: Case, chance: random.Random) -> Case:
    """Return it with no body, a JSON object, or bytes whose hash is in a header."""
    kind = chance.choice(["none", "json", "json", "bytes"])
    if kind == "json":
        inner = {f"k{text(chance, 9)}": text(chance, 40) for _ in range(chance.randrange(4))}
        return replace(case, body={"text": text(chance, 99), "number": -7, "list": [True, None, {}], "o": inner})
    if kind == "bytes":
        raw = chance.randbytes(chance.randrange(1, 5000))
        return replace(case, raw=raw, headers=(*case.headers, (HASH_HEADER, sha256(raw).hexdigest())))
    return case


def _header(*texts: str) -> Callable[[Case, random.Random], Case]:
    more = tuple(zip(texts[::2], texts[1::2], strict=True))
    return lambda case, _: replace(case, headers=(*case.headers, *more))


def _path(case: Case, chance: random.Random) -> Case:
    return replace(case, path=f"{case.path}/{chance.choice(' {}<>|^')}x")


def _order(case: Case, _: random.Random) -> Case:
    return replace(case, pairs=(*case.pairs, ("\U0001f642", "1"), ("\uff01", "2")))


def _hash_of_nothing(case: Case, chance: random.Random) -> Case:
    bare = tuple(each for each in case.headers if each[0] != HASH_HEADER)
    return replace(case, body=None, raw=b"", headers=(*bare, (HASH_HEADER, chance.randbytes(32).hex())))


def _bytes(case: Case, chance: random.Random) -> Case:
    bare = tuple(each for each in case.headers if each[0] != HASH_HEADER)
    return replace(case, body=None, raw=chance.randbytes(40), headers=bare)


#: where the two official signers disagree: what makes such a request of any
DEVIATIONS: dict[str, Callable[[Case, random.Random], Case]] = {
    "a path with a space, a bracket or another character that a URL must encode": _path,
    "a header value with spaces around it": _header("x-spaces", "  v "),
    "a header name with an underscore": _header("x_under", "v"),
    "header names with a tilde, which a locale sorts elsewhere": _header("xa", "1", "x~a", "2"),
    "query names of which UTF-16 and Unicode have another order": _order,
    "a hash in X-Sdk-Content-Sha256 of a body that is empty": _hash_of_nothing,
    "a body of bytes without its hash in a header": _bytes,
}
