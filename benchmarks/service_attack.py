"""One request that no client would send, and sending it."""

import re
import socket
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One request that must be refused; ``raw`` is sent as it is, on a connection of its own."""

    kind: str
    method: str = "POST"
    path: str = "/v1/twins"
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    files: Any = None
    data: dict[str, str] | None = None
    key: str | None = "all"
    raw: bytes | None = None


def send(client: httpx.Client, port: int, attack: Attack, keys: dict[str, str]) -> tuple[int, str]:
    """Send an attack and return status and body; 0 for a connection that was closed without an answer."""
    if attack.raw is not None:
        return send_raw(port, attack.raw)
    headers = dict(attack.headers)
    if attack.key is not None:
        headers.setdefault("authorization", f"Bearer {keys.get(attack.key, attack.key)}")
    try:
        answer = client.request(
            attack.method, attack.path, headers=headers, content=attack.content, files=attack.files, data=attack.data
        )
    except httpx.TransportError as error:
        return 0, repr(error)
    return answer.status_code, answer.text


def send_raw(port: int, raw: bytes, pause_s: float = 0.0) -> tuple[int, str]:
    """Send bytes as they are, a few at a time where there is a pause, and return status and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=90) as connection:
        try:
            connection.sendall(raw)
            answer = b""
            while block := connection.recv(65536):
                answer += block
                if b"\r\n\r\n" in answer and (match := re.search(rb"content-length: (\d+)", answer)):
                    _head, _, body = answer.partition(b"\r\n\r\n")
                    if len(body) >= int(match[1]):
                        break
        except (ConnectionError, TimeoutError) as error:
            return 0, repr(error)
    status = re.match(rb"HTTP/1.1 (\d{3})", answer)
    return int(status[1]) if status else 0, answer.decode("utf-8", "replace")
