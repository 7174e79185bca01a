"""A registry of the test's own on loopback, for what real ones do not do on purpose: lie, hang, lead astray."""

import base64
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.parts.images import SmallImage, sha256
from tests.parts.loopback import Asked, Server

from intoto_action.deadline import Deadline
from intoto_action.formats.oci import OCI_INDEX, OCI_MANIFEST
from intoto_action.formats.reference import Reference
from intoto_action.store.attaching import Attaching, NativePush
from intoto_action.store.credentials import Keychain
from intoto_action.store.distribution import Distribution
from intoto_action.store.http import Transport
from intoto_action.store.registry import Registry
from intoto_action.store.tokens import Authorizer

REPOSITORY = "octo/app"


@dataclass
class Reply:
    """An answer. Without `length` the real one is said; `behave` may do worse to the connection than answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    behave: Callable[[BaseHTTPRequestHandler], None] | None = None


Script = Callable[[Asked], Reply | None]


class HostileRegistry(Server):
    """Answers from `documents` (path to Reply), after `script`, when there is one, had no reply of its own."""

    def __init__(self) -> None:
        super().__init__(_handler(self))
        self.asked: list[Asked] = []
        self.documents: dict[str, Reply] = {}
        self.script: Script | None = None
        self.count: dict[str, int] = defaultdict(int)

    def put(self, image: SmallImage, tag: str) -> None:
        """Keep an image under a tag and its digest."""
        for blob in image.blobs:
            self.documents[f"/v2/{REPOSITORY}/blobs/{sha256(blob)}"] = Reply(body=blob)
        for raw, media_type in (*image.manifests, (image.document, image.media_type)):
            self.keep_manifest(sha256(raw), raw, media_type)
        self.keep_manifest(tag, image.document, image.media_type)

    def keep_manifest(self, reference: str, raw: bytes, media_type: str = OCI_MANIFEST) -> None:
        headers = {"Content-Type": media_type, "Docker-Content-Digest": sha256(raw)}
        self.documents[f"/v2/{REPOSITORY}/manifests/{reference}"] = Reply(body=raw, headers=headers)

    def keep_referrers(self, digest: str, descriptors: list[dict[str, object]], **headers: str) -> None:
        """What the referrers API answers for a digest."""
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}
        reply = Reply(body=json.dumps(document).encode(), headers={"Content-Type": OCI_INDEX, **headers})
        self.documents[f"/v2/{REPOSITORY}/referrers/{digest}"] = reply

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        self.count[asked.path] += 1
        scripted = self.script(asked) if self.script else None
        return scripted or self.honest_reply(asked)

    def honest_reply(self, asked: Asked) -> Reply:
        """What a registry would say: documents that are there, and room for new ones."""
        parts = urlsplit(asked.path)
        if asked.method in {"GET", "HEAD"}:
            return self.documents.get(parts.path) or Reply(404, b'{"errors":[]}')
        if asked.method == "POST":
            return Reply(202, headers={"Location": f"/v2/{REPOSITORY}/blobs/uploads/{len(self.asked)}"})
        if "/blobs/uploads/" in parts.path:
            self.documents[f"/v2/{REPOSITORY}/blobs/{parse_qs(parts.query)['digest'][0]}"] = Reply(
                body=asked.body
            )
        else:
            for reference in (parts.path.rpartition("/")[2], sha256(asked.body)):
                self.keep_manifest(reference, asked.body, asked.headers["content-type"])
        return Reply(201)

    def paths(self) -> list[str]:
        return [each.path for each in self.asked]


def open_hostile(
    hostile: HostileRegistry,
    *,
    seconds: float = 20,
    environ: Mapping[str, str] = {},
    realms: Mapping[str, str] = {},
    slept: list[float] | None = None,
) -> Registry:
    """The store of its one repository, with native pushes. With `slept`, pauses are noted there and not taken."""
    deadline = Deadline(seconds)
    sleep = time.sleep if slept is None else slept.append
    transport = Transport(deadline, sleep=sleep)
    keychain = Keychain(environ, deadline)
    authorizer = Authorizer(
        hostile.address, lambda: keychain.find(hostile.address, REPOSITORY), transport, realms=realms
    )
    distribution = Distribution(
        hostile.address, REPOSITORY, transport=transport, authorizer=authorizer, allow_http=False
    )
    return Registry(distribution, Attaching(NativePush(), deadline, sleep=sleep))


def hostile_reference(
    hostile: HostileRegistry, tag: str | None = "1.0", digest: str | None = None
) -> Reference:
    return Reference(hostile.address, REPOSITORY, tag, digest)


def log_in(home: Path, registry: str, username: str = "robot", password: str = "secret") -> dict[str, str]:
    """Variables under which docker's config.json has this login."""
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    return docker_config(home, {"auths": {registry: {"auth": auth}}})


def docker_config(home: Path, config: object) -> dict[str, str]:
    """Variables under which docker's config.json says this, and nothing else is found."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.json").write_text(json.dumps(config))
    return {"HOME": str(home), "DOCKER_CONFIG": str(home), "PATH": str(home)}


def hang(registry: HostileRegistry) -> Callable[[BaseHTTPRequestHandler], None]:
    """Say nothing until the registry is stopped."""

    def wait(handler: BaseHTTPRequestHandler) -> None:
        registry.stopping.wait(30)

    return wait


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection off with RST."""
    import socket
    import struct

    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def _handler(registry: HostileRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = registry.reply(Asked(self.command, self.path, headers, self.rfile.read(length)))
            self.close_connection = True
            try:
                if reply.behave is not None:
                    reply.behave(self)
                else:
                    self._say(reply)
            except OSError:  # whoever asked has gone, which is what these tests are about
                return

        def _say(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_PUT = do_POST = _any  # noqa: N815 (names of http.server)

        def log_message(self, format: str, *args: object) -> None:
            """The tests' output is no access log."""

        def finish(self) -> None:
            try:
                super().finish()
            except (OSError, ValueError):
                return

    return Handler
