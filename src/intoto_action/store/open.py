"""The store of a reference."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from intoto_action.deadline import Deadline
from intoto_action.formats.reference import DirectoryReference, Reference
from intoto_action.reason import Misused, WrongImage
from intoto_action.store.files import why
from intoto_action.store.image_directory import ImageDirectory
from intoto_action.store.interface import Store

if TYPE_CHECKING:
    from intoto_action.store.credentials import Credentials
    from intoto_action.store.job_token import JobToken

COSIGN = "cosign"
NATIVE = "native"
PUSH_WITH = (COSIGN, NATIVE)
"""The words of `--push-with`."""
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def open_store(
    reference: Reference | DirectoryReference,
    *,
    deadline: Deadline,
    environ: Mapping[str, str],
    allow_http: bool = False,
    token_realms: Mapping[str, str] = {},
    push_with: str = COSIGN,
    job_token: JobToken | None = None,
) -> Store:
    """The repository or the image directory in which a reference lies. Nothing is asked or read yet.

    `token_realms` maps a registry (host and port) to another HOST[:PORT] that may see its credentials (without a
    port: 443); `environ` says where credentials lie (HOME, DOCKER_CONFIG, …), and is what cosign and credential
    helpers get. `job_token` is for its own registry, where neither files nor helpers have a login, and for https: with
    `allow_http` it is not used.

    Raises: Misused when `push_with` is no word that is known, or the file with certificates is missing.
    """
    if push_with not in PUSH_WITH:
        raise Misused(f"--push-with: expected {' or '.join(PUSH_WITH)}, found {push_with[:40]!r}")
    if isinstance(reference, DirectoryReference):
        return ImageDirectory(Path(reference.directory), deadline=deadline)
    return _open_registry(
        reference,
        deadline=deadline,
        environ=environ,
        allow_http=allow_http,
        token_realms=token_realms,
        push_with=push_with,
        job_token=None if allow_http else job_token,
    )


def _open_registry(
    reference: Reference,
    *,
    deadline: Deadline,
    environ: Mapping[str, str],
    allow_http: bool,
    token_realms: Mapping[str, str],
    push_with: str,
    job_token: JobToken | None,
) -> Store:
    from intoto_action.store.attaching import Attaching, NativePush
    from intoto_action.store.cosign import CosignPush
    from intoto_action.store.credentials import Keychain
    from intoto_action.store.distribution import Distribution
    from intoto_action.store.http import Transport
    from intoto_action.store.registry import Registry
    from intoto_action.store.tokens import Authorizer

    transport = Transport(deadline, allow_http=allow_http, ca_bundle=ca_bundle(environ))
    keychain = Keychain(environ, deadline)

    @cache
    def who() -> Credentials | None:
        found = keychain.find(reference.registry, reference.repository)
        if found is None and job_token is not None and job_token.registry == reference.registry:
            return job_token.credentials()
        return found

    authorizer = Authorizer(reference.registry, who, transport, realms=token_realms)
    distribution = Distribution(
        reference.registry,
        reference.repository,
        transport=transport,
        authorizer=authorizer,
        allow_http=allow_http,
    )
    push = CosignPush(environ, deadline, who) if push_with == COSIGN else NativePush()
    return Registry(distribution, Attaching(push, deadline))


def ca_bundle(environ: Mapping[str, str]) -> str | None:
    """The certificates to trust instead of those that came with requests; cosign looks at the last variable too.

    Raises: Misused when the variable names no file.
    """
    name = next((name for name in _CA_VARIABLES if environ.get(name)), None)
    if name is None:
        return None
    try:
        is_there = Path(environ[name]).exists()
    except OSError as error:
        raise WrongImage(
            f"{name}: {environ[name]} with the certificates to trust cannot be looked at: {why(error)}"
        ) from error
    if not is_there:
        raise WrongImage(f"{name}: there is no file {environ[name]} with the certificates to trust")
    return environ[name]
