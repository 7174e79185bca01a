"""The distribution API of one repository: requests with authorization, answers as bytes that were checked.

Source: OCI distribution specification 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from intoto_action.formats.oci import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFEST_CAP,
    MANIFESTS,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    digest_of,
)
from intoto_action.formats.reference import DOCKER_HUB
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed, Unavailable
from intoto_action.store.address import is_loopback, origin_of
from intoto_action.store.content import check_cap, check_digest, check_size, digest_like
from intoto_action.store.http import Answer, NoTls, Request, Transport
from intoto_action.store.tokens import Authorizer

_ACCEPT = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX))
_SMALL = 1 << 16


class Fetched(msgspec.Struct, frozen=True):
    """A manifest or an index as it came; `media_type` is the answer's when it is one of an image, else empty."""

    raw: bytes
    digest: str
    media_type: str
    etag: str | None


class _Fault(msgspec.Struct):
    code: str = ""
    message: str | None = None


class _Faults(msgspec.Struct):
    errors: tuple[_Fault, ...] = ()


class Distribution:
    """One repository behind the API. `registry` is as in a reference (`docker.io`), `name` registry/repository."""

    def __init__(
        self,
        registry: str,
        repository: str,
        *,
        transport: Transport,
        authorizer: Authorizer,
        allow_http: bool,
    ) -> None:
        self.registry = registry
        self.repository = repository
        self.name = f"{registry}/{repository}"
        self.transport = transport
        self._authorizer = authorizer
        self._allow_http = allow_http
        self._base: str | None = None

    @property
    def is_plain_http(self) -> bool:
        """Whether the registry is asked over plain http."""
        return self._origin().startswith("http:")

    def manifest(self, reference: str, *, cap: int = MANIFEST_CAP) -> Fetched | None:
        """The manifest or index of a tag or a digest, compared with the digest; None when there is none.

        Raises: Unavailable.
        """
        what = f"manifest {self.name}{_separated(reference)}"
        answer = self.call("GET", f"manifests/{reference}", what, cap=cap, headers={"Accept": _ACCEPT})
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self.refusal(answer, what)
        self._check_manifest(answer, reference, what)
        digest = reference if ":" in reference else digest_of(answer.body)
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        media_type = kind if kind in MANIFESTS | INDEXES else ""
        return Fetched(answer.body, digest, media_type, answer.headers.get("etag"))

    def put_manifest(
        self, reference: str, raw: bytes, media_type: str, *, if_match: str | None = None
    ) -> Answer:
        """Store a manifest or index under a digest or a tag; the answer is 201, or 412 when `if_match` is not met.

        Raises: Unavailable.
        """
        what = f"storing manifest {self.name}{_separated(reference)}"
        headers = {"Content-Type": media_type, **({"If-Match": if_match} if if_match else {})}
        answer = self.call(
            "PUT", f"manifests/{reference}", what, cap=_SMALL, headers=headers, body=raw, push=True
        )
        if answer.status not in {200, 201, 202, 412} or (answer.status == 412 and if_match is None):
            raise self.refusal(answer, what)
        return answer

    def blob(self, descriptor: Descriptor, cap: int) -> bytes:
        """A blob of the size and the digest that its descriptor says.

        Raises: Unavailable.
        """
        what = f"blob {self.name}@{descriptor.digest}"
        check_cap(descriptor.size, cap, what)
        answer = self.call("GET", f"blobs/{descriptor.digest}", what, cap=descriptor.size)
        if answer.status != 200:
            raise self.refusal(answer, what)
        check_size(len(answer.body), descriptor.size, what)
        check_digest(answer.body, descriptor.digest, what)
        return answer.body

    def put_blob(self, content: bytes) -> str:
        """Store a blob unless it is there; its digest. One POST for a place, one PUT of the whole.

        Raises: Unavailable.
        """
        digest = digest_of(content)
        if self._has_blob(digest):
            return digest
        what = f"storing blob {self.name}@{digest}"
        begun = self.call("POST", "blobs/uploads/", what, cap=_SMALL, body=b"", push=True)
        if begun.status != 202:
            raise self.refusal(begun, what)
        place = self.transport.location(begun, what)
        url = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        headers = {"Content-Type": "application/octet-stream"}
        ended = self.call("PUT", url, what, cap=_SMALL, headers=headers, body=content, push=True)
        if ended.status not in {201, 204} and not self._has_blob(digest):
            raise self.refusal(ended, what)
        return digest

    def call(
        self,
        method: str,
        where: str,
        what: str,
        *,
        cap: int,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        push: bool = False,
    ) -> Answer:
        """One request; `where` is a path of the repository or a URL. Authorization goes to the own origin only.

        Every one of them may be repeated: what is put is named by its digest, and an upload that was begun twice
        stores nothing.

        Raises: Unavailable.
        """
        url = where if where.startswith(("http://", "https://")) else self.url(where)
        scope = f"repository:{self.repository}:{'pull,push' if push else 'pull'}"
        is_ours = origin_of(url) == origin_of(self._origin())
        request = Request(
            method=method,
            url=url,
            what=what,
            cap=cap,
            headers=headers,
            body=body,
            authorization=self._authorizer.header(scope) if is_ours else None,
        )
        answer = self.transport.send(request)
        if self._is_refusal(answer) and answer.status == 401:
            fresh = self._authorizer.challenged(answer, scope)
            answer = answer if fresh is None else self._again(request, fresh)
        if self._is_refusal(answer) and (nobody := self._authorizer.as_nobody(scope)) is not None:
            another = self._again(request, nobody)
            answer = answer if self._is_refusal(another) else another
        return answer

    def _again(self, request: Request, authorization: str) -> Answer:
        return self.transport.send(msgspec.structs.replace(request, authorization=authorization))

    def _is_refusal(self, answer: Answer) -> bool:
        """Whether our own origin, which is the one that sees who asks, wants somebody else to ask."""
        return answer.status in {401, 403} and origin_of(answer.url) == origin_of(self._origin())

    def url(self, path: str) -> str:
        """The URL of a path of this repository."""
        return f"{self._origin()}/v2/{self.repository}/{path}"

    def refusal(self, answer: Answer, what: str) -> Unavailable:
        """The error for an answer that is not the one that was hoped for, with what to do about it."""
        said = _said(answer)
        if answer.status in {401, 403}:
            return Unavailable(
                f"{what}: {self.registry} refuses it to {self._authorizer.who} (status {answer.status}{said}); "
                f"{self._authorizer.remedy}"
            )
        if answer.status == 429:
            return Unavailable(f"{what}: {self.registry} takes no more requests for now (status 429{said})")
        if answer.status == 404:
            return Unavailable(f"{what}: {self.registry} has none (status 404{said})")
        return Unavailable(f"{what}: {self.registry} answered with status {answer.status}{said}")

    def _check_manifest(self, answer: Answer, reference: str, what: str) -> None:
        """Raises: Unavailable when the bytes are not those of the digest asked for, or of the one promised."""
        if ":" in reference:
            check_digest(answer.body, reference, what)
        promised = answer.headers.get("docker-content-digest")
        if promised is None:
            return
        try:
            found = digest_like(promised, answer.body)
        except Malformed as error:
            raise Unavailable(f"{what}: the answer's Docker-Content-Digest is no digest") from error
        if found != promised:
            raise Unavailable(f"{what}: the answer promises {promised}, and its bytes are {found}")

    def _has_blob(self, digest: str) -> bool:
        what = f"looking for blob {self.name}@{digest}"
        answer = self.call("HEAD", f"blobs/{digest}", what, cap=0, push=True)
        if answer.status not in {200, 404}:
            raise self.refusal(answer, what)
        return answer.status == 200

    def _origin(self) -> str:
        if self._base is None:
            self._base = self._choose_origin()
        return self._base

    def _choose_origin(self) -> str:
        """https; http for loopback; with `--allow-http-registry` http for a port that answers, and not in TLS.

        A certificate that is not trusted, a reset, a refused connection or silence are no such answer: whoever can
        disturb a connection would otherwise have the password sent in clear.

        Raises: Unavailable when it is not known whether the port speaks TLS.
        """
        host = "registry-1.docker.io" if self.registry == DOCKER_HUB else self.registry
        origin = origin_of(f"https://{host}")
        if origin is None:
            raise Unavailable(f"{self.registry} is no host that can be asked")
        if is_loopback(origin.host):
            return f"http://{host}"
        if not self._allow_http:
            return f"https://{host}"
        what = f"looking whether {host} speaks https"
        request = Request(method="GET", url=f"https://{host}/v2/", what=what, cap=_SMALL, repeatable=False)
        try:
            self.transport.send(request)
        except NoTls:
            return f"http://{host}"
        except Unavailable as error:
            raise Unavailable(
                f"{error}; --allow-http-registry has plain http spoken only where a port answers without TLS: "
                f"if {host} serves http on another port, name the port in the reference"
            ) from error
        return f"https://{host}"


def _separated(reference: str) -> str:
    return f"@{reference}" if ":" in reference else f":{reference}"


def _said(answer: Answer) -> str:
    """The registry's own words, one line, printable, short."""
    try:
        faults = decode(answer.body, _Faults, "error").errors
    except Malformed:
        return ""
    words = "; ".join(f"{each.code} {each.message or ''}".strip() for each in faults[:3])
    plain = "".join(each if each.isprintable() else " " for each in words)[:300].strip()
    return f", it says: {plain}" if plain else ""
