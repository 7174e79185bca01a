"""Small HTTP services of the tests' own, on loopback, and what they say in the place of an honest answer."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Protocol, Self

HOST = "127.0.0.1"
_LONG = 600.0


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer, given `after` so many seconds."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0


HANG = Reply(504, after=_LONG)
"""Says nothing for longer than any test waits; whoever stops the service ends it."""


def json_reply(document: object, status: int = 200, **headers: str) -> Reply:
    """A document; `_` in the name of a header stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/json", **named})


def refusal(status: int, message: str = "refused", **headers: str) -> Reply:
    """An error as Fulcio, Rekor and GitHub write it."""
    return json_reply({"code": status, "message": message}, status, **headers)


def busy(retry_after: int = 1) -> Reply:
    """429: come back later."""
    return refusal(429, "too many requests", Retry_After=str(retry_after))


class Service(Protocol):
    """What answers."""

    def answer(self, asked: Asked) -> Reply: ...


class Server:
    """Serves on a free port of loopback while the block runs; `stopping` is set when it ends."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer((HOST, 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def address(self) -> str:
        return f"{HOST}:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Loopback(Server):
    """A server of what a service answers."""

    def __init__(self, service: Service) -> None:
        super().__init__(_handler(service, self))


class Serving(Loopback, ABC):
    """A service that is its own server."""

    def __init__(self) -> None:
        super().__init__(self)

    @abstractmethod
    def answer(self, asked: Asked) -> Reply: ...


def _handler(service: Service, server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = service.answer(Asked(self.command, self.path, headers, self.rfile.read(length)))
            if reply.after:
                server.stopping.wait(reply.after)
            try:
                self._say(reply)
            except OSError:  # whoever asked had no more patience, which is what some tests are about
                return

        def _say(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = _any  # noqa: N815 (names of http.server)

        def log_message(self, format: str, *args: object) -> None:
            """The tests' output is no access log."""

    return Handler
