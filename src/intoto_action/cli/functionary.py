"""`layout functionary`: the identity of a workflow, ready to be put into a layout.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from intoto_action.cli.options import example, group, option, tell, timeout_option
from intoto_action.deadline import Deadline
from intoto_action.reason import Misused

if TYPE_CHECKING:
    from intoto_action.author.propose import Proposal

_VERB = "layout functionary"


class _Words(msgspec.Struct, frozen=True):
    """Where the identity is to be taken from: words, a signed document, or the token of this job."""

    repository: str | None
    workflow: str | None
    ref: str | None
    issuer: str | None
    from_link: Path | None
    from_token: bool

    def given(self) -> Iterator[str]:
        """The flags that were given."""
        for name in self.__struct_fields__:
            if getattr(self, name):
                yield f"--{name.replace('_', '-')}"

    def proposal(self, deadline: Deadline) -> Proposal:
        """Raises: Misused for words that do not go together; Malformed, Unavailable."""
        from intoto_action.author.propose import propose_job, propose_signer, propose_workflow

        given = list(self.given())
        alone = next((flag for flag in ("--from-link", "--from-token") if flag in given), None)
        if alone is not None and len(given) > 1:
            others = ", ".join(flag for flag in given if flag != alone)
            raise Misused(f"expected {alone} alone, found {others} too")
        if self.from_link:
            return propose_signer(self.from_link)
        if self.from_token:
            from intoto_action.cli.claims import github_claims

            return propose_job(github_claims(deadline, "say --repository, --workflow and --ref"))
        if not (self.repository and self.workflow and self.ref):
            found = ", ".join(given) or "none of them"
            raise Misused(
                f"expected --repository, --workflow and --ref, or --from-link, or --from-token, found {found}"
            )
        return propose_workflow(self.repository, self.workflow, self.ref, self.issuer)


@click.command(
    epilog=example(
        "intoto-action layout functionary --repository octo/app --workflow release.yml --ref 'refs/tags/*'",
        "intoto-action layout functionary --from-link links/build.12345678.link > builder.yaml",
    )
)
@group(
    "words",
    _Words,
    option(
        _VERB,
        "--repository",
        metavar="OWNER/NAME",
        help="Where the workflow runs; a URI for another server.",
    ),
    option(
        _VERB,
        "--workflow",
        metavar="FILE",
        help="Its file; OWNER/NAME/.github/workflows/FILE for a reusable one of another repository.",
    ),
    option(
        _VERB,
        "--ref",
        metavar="REF",
        help="Where the file stands: a branch, a tag, refs/tags/*; of a reusable one also a commit.",
    ),
    option(_VERB, "--issuer", metavar="URL", help="Who vouches for it; not needed for github.com."),
    option(
        _VERB,
        "--from-link",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Take it from the certificate of a link, or of another signed document. Nothing is verified.",
    ),
    option(
        _VERB,
        "--from-token",
        is_flag=True,
        help="Take it from the OIDC token of this GitHub Actions job, which needs id-token: write.",
    ),
)
@timeout_option(30)
def functionary(words: _Words, timeout: float) -> None:
    """Print the identity of a workflow as YAML, for functionaries: of a layout.yaml, or as a file for PUB."""
    from intoto_action.render.escape import terminal

    proposal = words.proposal(Deadline(timeout))
    for note in proposal.notes:
        tell(note)
    for line in proposal.lines:
        click.echo(terminal(line, limit=4096))
