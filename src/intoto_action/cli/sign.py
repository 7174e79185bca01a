"""`sign`: the link that `record --unsigned` left, signed in a process that runs nothing else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from intoto_action.cli.keyless_options import KeylessOptions, keyless_options, say_signer
from intoto_action.cli.options import (
    SigningOptions,
    SigstoreOptions,
    example,
    option,
    signing_options,
    sigstore_options,
    tell,
)
from intoto_action.cli.who_signs import (
    expected_step,
    layout_option,
    no_credentials_option,
    sign_pull_requests_option,
    signer_yaml,
    who_signs,
)
from intoto_action.reason import IntotoActionError, Misused, WrongLinks

if TYPE_CHECKING:
    from intoto_action.keys.interface import Signer
    from intoto_action.record.expected import ExpectedStep


@click.command(
    epilog=example(
        "EXPECTED=$(intoto-action record --unsigned --step-name build --link-dir links -- make | tail -n 1)",
        'intoto-action sign --key env:SIGNING_KEY --step-name build --expect "$EXPECTED" \\',
        "    links/build.link-unsigned",
    )
)
@signing_options("sign")
@keyless_options("sign")
@sigstore_options("sign")
@option("sign", "--step-name", metavar="S", required=True, help="The step that the link must be of.")
@option(
    "sign",
    "--expect",
    metavar="sha256:…",
    help="What `record --unsigned` printed last, carried here on a way of its own: never computed from LINK. Needed.",
)
@layout_option("sign")
@sign_pull_requests_option
@no_credentials_option("sign")
@click.option("--force", is_flag=True, help="Replace another link of this step and key.")
@click.option(
    "--check",
    is_flag=True,
    help="Sign nothing: look, before there is a LINK, whether it could be signed here; no key is opened.",
)
@click.option(
    "--github",
    is_flag=True,
    help="In a job of GitHub Actions: outputs, a summary, and the rules for pull requests.",
)
@click.argument("link", type=click.Path(path_type=Path), required=False)
def sign(
    signing: SigningOptions,
    keyless: KeylessOptions,
    sigstore: SigstoreOptions,
    step_name: str,
    expect: str | None,
    layout: Path | None,
    sign_pull_requests: bool,
    if_no_credentials: str,
    force: bool,
    check: bool,
    github: bool,
    link: Path | None,
) -> None:
    """Sign LINK, which `record --unsigned` left, and put the signed link beside it.

    It is signed only when its digest is the expected one and it is a link of that step; then LINK is removed.
    """
    from intoto_action.record.credentials import unsigned_because

    given = who_signs(signing, keyless, sigstore)
    if given is None:
        raise Misused("who signs? Give --key KEY (a PEM file, or env:NAME), or --keyless")
    expected = expected_step(layout, step_name)
    why = unsigned_because(
        given,
        os.environ,
        without=if_no_credentials == "unsigned",
        pull_requests=sign_pull_requests or not github,
    )
    if why is None and (check or github):
        given.check(os.environ)
        if expected is not None:
            given.check_expected(expected, os.environ)
    tells = _OnGithub() if github else _OnTerminal()
    if check:
        if link is not None or expect is not None:
            raise Misused("--check looks before there is a link: leave --expect and LINK out")
        tells.checked(why)
        return
    if link is None or not expect:
        raise Misused("expected LINK, and --expect with what `record --unsigned` printed last")
    work = _Link(path=link, step=step_name, sha256=expect, payload=_payload(link, expect, step_name))
    if why is not None:
        tells.unsigned(work, why)
        return
    try:
        signer = signing.signer(keyless=lambda: keyless.signer(sigstore.instance()))
        written = _write(work, signer, expected, force=force)
    except IntotoActionError as error:
        tells.failed(work, error)
        raise
    tells.signed(work, signer, written)


class _Link(msgspec.Struct, frozen=True, kw_only=True):
    """The link that is to be signed: where it lies, its step, and its payload with the digest that was expected."""

    path: Path
    step: str
    sha256: str
    payload: bytes


def _write(link: _Link, signer: Signer, expected: ExpectedStep | None, *, force: bool) -> Path:
    """Raises: Misused, Unavailable."""
    from intoto_action.record.publish import write_signed

    if expected is not None:
        expected.check_signer(signer)
    written = write_signed(link.path.parent, link.step, link.payload, signer, force=force)
    if written.name != link.path.name:
        link.path.unlink(missing_ok=True)
    return written


class _OnTerminal:
    """Says what came of it to a person or a script: the path of the link on stdout, the rest beside it."""

    def checked(self, why: str | None) -> None:
        if why is not None:
            tell(why)

    def unsigned(self, link: _Link, why: str) -> None:
        tell(why)
        self._say(link.path)

    def failed(self, link: _Link, error: IntotoActionError) -> None:
        pass

    def signed(self, link: _Link, signer: Signer, written: Path) -> None:
        self._say(written)
        say_signer(signer)

    def _say(self, path: Path) -> None:
        from intoto_action.render.escape import terminal

        click.echo(terminal(str(path), limit=4096))


class _OnGithub(_OnTerminal):
    """Hands it to the runner too: outputs, annotations, the summary of the job."""

    def checked(self, why: str | None) -> None:
        self._output(sign="true" if why is None else "false")
        if why is not None:
            self._notice(why)

    def unsigned(self, link: _Link, why: str) -> None:
        from intoto_action.cli.runner import summarise
        from intoto_action.render.recorded import not_signed

        self._hand_over(link, link.path, signed="false")
        self._notice(why)
        summarise(not_signed(link.step, why))
        self._say(link.path)

    def failed(self, link: _Link, error: IntotoActionError) -> None:
        from intoto_action.cli.runner import summarise
        from intoto_action.render.recorded import not_signed

        self._hand_over(link, link.path, signed="false")
        summarise(not_signed(link.step, str(error), error.topic))

    def signed(self, link: _Link, signer: Signer, written: Path) -> None:
        from intoto_action.cli.runner import summarise
        from intoto_action.render.recorded import signed

        functionary = signer_yaml(signer)
        self._hand_over(link, written, signed="true", signer=functionary)
        summarise(signed(link.step, link.sha256, str(signer.key), functionary))
        super().signed(link, signer, written)

    def _hand_over(self, link: _Link, path: Path, *, signed: str, signer: str = "") -> None:
        self._output(
            **{"link-path": str(path.absolute()), "link-sha256": link.sha256},
            signed=signed,
            signer=signer,
        )

    def _notice(self, why: str) -> None:
        from intoto_action.cli.runner import notice

        notice(why)

    def _output(self, **outputs: str) -> None:
        from intoto_action.github.outputs import append_outputs

        append_outputs(os.environ, outputs)


def _payload(link: Path, expect: str, step_name: str) -> bytes:
    """The bytes of the unsigned link. Raises: Misused unless they are the ones that were asked for."""
    from intoto_action.formats.link import parse_link
    from intoto_action.formats.reference import parse_digest
    from intoto_action.formats.strict_json import DOCUMENT_CAP
    from intoto_action.store.files import read_capped

    if not parse_digest(expect).startswith("sha256:"):
        raise Misused(f"--expect: expected sha256: and 64 hex digits, found {expect[:200]!r}")
    payload = read_capped(link, DOCUMENT_CAP, "the unsigned link")
    found = f"sha256:{hashlib.sha256(payload).hexdigest()}"
    if found != expect:
        raise WrongLinks(
            f"{link}: expected {expect}, found {found}: the link was changed after it was recorded, and is not "
            "signed; record the step again, and find out who changed it"
        )
    name = parse_link(payload, str(link)).name
    if name != step_name:
        raise WrongLinks(
            f"{link}: expected a link of step {step_name!r}, found one of {name!r}: it is not signed"
        )
    return payload
