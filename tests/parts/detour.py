"""A way around a service that breaks when told to: some replies of its own first, then the service's."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterable

from tests.parts.loopback import Asked, Reply, Serving, refusal

_HOP_BY_HOP = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "date", "server"}
)
_PATIENCE = 30


class Detour(Serving):
    """Serves in front of another service while the block runs; `asked` holds every request that came."""

    def __init__(self, behind: str, replies: Iterable[Reply] = ()) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self._behind = behind
        self._replies = iter(replies)
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            reply = next(self._replies, None)
        return reply or self._pass_on(asked)

    def _pass_on(self, asked: Asked) -> Reply:
        headers = {name: value for name, value in asked.headers.items() if name not in _HOP_BY_HOP}
        request = urllib.request.Request(
            self._behind + asked.path, asked.body or None, headers, method=asked.method
        )
        try:
            with _direct.open(request, timeout=_PATIENCE) as answer:
                kept = {
                    name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP
                }
                return Reply(answer.status, answer.read(), kept)
        except urllib.error.HTTPError as error:
            with error:
                return Reply(
                    error.code, error.read(), {"Content-Type": error.headers.get("Content-Type", "")}
                )
        except OSError as error:
            return refusal(502, f"{self._behind} is gone: {error}")


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
