"""The claims of a GitHub Actions job's OIDC token: what GitHub vouches for, and the job itself cannot write.

Source: GitHub documentation, OpenID Connect reference; the claims that actions/attest takes for provenance.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from intoto_action.formats.issuer import server_of
from intoto_action.reason import Malformed


class GithubClaims(msgspec.Struct, frozen=True):
    """The claims that provenance is made of, by GitHub's own names; every value is a text there, numbers too."""

    iss: str
    ref: str
    sha: str
    repository: str
    event_name: str
    job_workflow_ref: str
    workflow_ref: str
    repository_id: str
    repository_owner_id: str
    runner_environment: str
    run_id: str
    run_attempt: str

    @property
    def server(self) -> str:
        """The server that the issuer speaks for: `https://github.com`. Never the runner's variable for it."""
        return server_of(self.iss)

    @property
    def repository_uri(self) -> str:
        """`https://github.com/octo/app`."""
        return f"{self.server}/{self.repository}"

    @property
    def workflow_path(self) -> str:
        """The path of the workflow file in the repository: `.github/workflows/build.yml`.

        Workflow files lie directly in one directory, so the first `@refs/` ends the path, whatever the ref is called.
        """
        return self.workflow_ref.removeprefix(f"{self.repository}/").partition("@refs/")[0]

    @property
    def builder(self) -> str:
        """The workflow whose job this is, as Fulcio names it in a certificate (build signer URI)."""
        return f"{self.server}/{self.job_workflow_ref}"

    @property
    def invocation(self) -> str:
        """The address of this attempt of the run."""
        return f"{self.repository_uri}/actions/runs/{self.run_id}/attempts/{self.run_attempt}"


def parse_github_claims(claims: Mapping[str, object], where: str) -> GithubClaims:
    """GitHub's claims from those of a token; other claims are left alone.

    Raises: Malformed for a token that lacks one of them, such as that of another CI system.
    """
    try:
        found = msgspec.convert(dict(claims), GithubClaims, strict=True)
    except msgspec.ValidationError as error:
        raise Malformed(where, "the claims of a GitHub Actions job", str(error)[:300]) from error
    for name in GithubClaims.__struct_fields__:
        if not getattr(found, name):
            raise Malformed(where, f"a value of the claim {name}", "an empty one")
    if not found.server:
        raise Malformed(where, "an issuer with an https URL", repr(found.iss[:200]))
    return found
