"""A token server for a registry: the distribution project's token protocol, small and on loopback."""

import base64
import json
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

IDENTITY_TOKEN = "an identity token"
JOB_TOKEN = "ghs_TokenOfTheJob"


class TokenServer:
    """Gives RS256 tokens to one user, by password (GET) or identity token (POST), for the scopes asked for.

    As GitHub's, it takes JOB_TOKEN as the password of any user, and gives it what `job_may` of what was asked for.
    `asked` holds (method, scope) of every request that was granted; `lifetime` is that of tokens from now on.
    """

    def __init__(self, username: str, password: str) -> None:
        self.issuer = "tests"
        self.service = "registry of the tests"
        self.lifetime = 300
        self.job_may = frozenset({"pull", "push"})
        self.asked: list[tuple[str, str]] = []
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._authorization = f"Basic {pair}"
        self._username = username
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = certificate_of(self._key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def realm(self) -> str:
        """The URL that gives tokens; by name, because cosign takes no realm with a loopback address."""
        return f"http://localhost:{self._server.server_port}/token"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, authorization: str, fields: dict[str, list[str]]) -> tuple[int, object]:
        """Status and document for a request."""
        by_password = method == "GET" and secrets.compare_digest(authorization, self._authorization)
        by_token = method == "POST" and fields.get("refresh_token") == [IDENTITY_TOKEN]
        by_job = method == "GET" and self._is_job(authorization)
        if not (by_password or by_token or by_job):
            return 401, {"errors": [{"code": "UNAUTHORIZED"}]}
        scope = " ".join(fields.get("scope", []))
        self.asked.append((method, scope))
        may = self.job_may if by_job else None
        token = self._token(fields.get("service", [""])[0], scope, may)
        return 200, {"access_token" if by_token else "token": token, "expires_in": self.lifetime}

    def _is_job(self, authorization: str) -> bool:
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        return bool(self.job_may) and pair.partition(":")[2] == JOB_TOKEN

    def _token(self, service: str, scope: str, may: frozenset[str] | None) -> str:
        now = int(time.time())
        der = x509.load_pem_x509_certificate(self.certificate).public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        claims = {
            "iss": self.issuer,
            "sub": self._username,
            "aud": service,
            "exp": now + self.lifetime,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [_access(each, may) for each in scope.split() if each.count(":") == 2],
        }
        signed = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_b64(signature)}"


def _access(scope: str, may: frozenset[str] | None) -> dict[str, object]:
    kind, name, actions = scope.split(":")
    given = [each for each in actions.split(",") if may is None or each in may]
    return {"type": kind, "name": name, "actions": given}


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def certificate_of(key: rsa.RSAPrivateKey) -> bytes:
    """A certificate that the key signed itself, as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "token server of the tests")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(parse_qs(urlsplit(self.path).query))

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            self._answer(parse_qs(self.rfile.read(length).decode()))

        def _answer(self, fields: dict[str, list[str]]) -> None:
            status, document = server.answer(self.command, self.headers.get("Authorization", ""), fields)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """The tests' output is no access log."""

    return Handler
