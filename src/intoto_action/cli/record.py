"""`record`: one step, and the link that says what went in, what ran and what came out."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from intoto_action.cli.keyless_options import KeylessOptions, keyless_options, say_signer
from intoto_action.cli.options import (
    RegistryOptions,
    SigningOptions,
    SigstoreOptions,
    example,
    option,
    registry_options,
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
from intoto_action.reason import IntotoActionError, Misused, WrongFile

if TYPE_CHECKING:
    from intoto_action.record.phases import Publication, Recorded
    from intoto_action.record.publish import Published
    from intoto_action.record.task import Here, Task


@click.command(
    epilog=example(
        "intoto-action record --step-name build --key build.pem --materials src --products dist \\",
        "    --link-dir ../links -- make dist",
    )
)
@option("record", "--step-name", required=True, metavar="S", help="The step of the layout.")
@signing_options("record")
@keyless_options("record")
@sigstore_options("record")
@option(
    "record",
    "--phase",
    type=click.Choice(["run", "start", "stop", "after"]),
    default="run",
    show_default=True,
    help="Around a command; the two halves around something else; or after the fact.",
)
@option(
    "record",
    "--materials",
    multiple=True,
    metavar="P",
    help="What goes in: a file, directory or glob, git:tracked, dir:PATH, oci:REF, image:NAME. Repeatable.",
)
@option(
    "record",
    "--products",
    multiple=True,
    metavar="P",
    help="What comes out, likewise; oci:NAME@digestfile:PATH, image:NAME@iidfile:PATH. Repeatable.",
)
@option(
    "record",
    "--exclude",
    multiple=True,
    metavar="P",
    help="Left out, as in .gitignore; .git/** is. Repeatable.",
)
@option("record", "--image-metadata", metavar="JSON|FILE", help="What buildx says of the images it built.")
@option(
    "record",
    "--link-dir",
    type=click.Path(path_type=Path),
    default=".",
    show_default=True,
    metavar="DIR",
    help="Where the link goes; created.",
)
@layout_option("record")
@click.option(
    "--unsigned",
    is_flag=True,
    help="Leave the link unsigned; the last line of stdout is its sha256 for `sign`.",
)
@option("record", "--state", metavar="HASH", help="What --phase start printed, for --phase stop.")
@click.option("--pass-oidc", is_flag=True, help="Let the command ask for an OIDC token; the link says so.")
@click.option("--command-as", metavar="TEXT", help="What the link says in place of the command.")
@sign_pull_requests_option
@no_credentials_option("record")
@click.option("--record-failure", is_flag=True, help="Make a link although the command failed.")
@click.option("--force", is_flag=True, help="Replace another link of this step and key.")
@click.option(
    "--github",
    is_flag=True,
    help="In a job of GitHub Actions: outputs, a summary, and the rules for pull requests.",
)
@registry_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def record(
    step_name: str,
    signing: SigningOptions,
    keyless: KeylessOptions,
    sigstore: SigstoreOptions,
    phase: str,
    materials: tuple[str, ...],
    products: tuple[str, ...],
    exclude: tuple[str, ...],
    image_metadata: str | None,
    link_dir: Path,
    layout: Path | None,
    unsigned: bool,
    state: str | None,
    pass_oidc: bool,
    command_as: str | None,
    sign_pull_requests: bool,
    if_no_credentials: str,
    record_failure: bool,
    force: bool,
    github: bool,
    registry: RegistryOptions,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND and record, as a signed in-toto link, what went in and what came out.

    The exit code is the command's. A command that fails leaves no link.
    """
    from intoto_action.cli.progress import bar
    from intoto_action.record.credentials import unsigned_because
    from intoto_action.record.phases import Publication
    from intoto_action.record.task import Here, Task, working_directory

    given = who_signs(signing, keyless, sigstore)
    if not given and not unsigned and phase != "start":
        raise Misused(
            "who signs? Give --key KEY or --keyless, or --unsigned and sign the link in another process"
        )
    private = given.variables if given else ()
    environ = _close_environment(private, pass_oidc=pass_oidc)
    here = Here(
        base=working_directory(),
        environ=environ,
        tell=tell,
        progress=bar,
        private=private,
        allow_http=registry.allow_http,
        token_realms=registry.token_realms,
    )
    why = unsigned_because(
        given,
        environ,
        without=if_no_credentials == "unsigned",
        pull_requests=sign_pull_requests or not github,
    )
    if why and not unsigned and phase != "start":
        _say_unsigned(why, github=github)
    task = Task(
        step=step_name,
        command=command,
        recorded_command=(command_as,) if command_as else command,
        materials=materials,
        products=products,
        excludes=exclude,
        image_metadata=image_metadata,
        pass_oidc=pass_oidc,
    )
    publication = Publication(
        directory=link_dir,
        credentials=None if unsigned or why else given,
        open_signer=partial(
            signing.signer, environ, keyless=lambda: keyless.signer(sigstore.instance(), environ)
        ),
        expected=expected_step(layout, step_name),
        force=force,
    )
    _warn_of_links_among_artifacts(link_dir, step_name, (*materials, *products), exclude)
    work = Work(phase=phase, task=task, publication=publication, state=state, record_failure=record_failure)
    recorded = _in_github_job(work, here) if github else _record(work, here)
    _say(recorded, keyless.words(sigstore) if signing.is_keyless else ["--key", "KEY"], github=github)
    return recorded.exit_code


def _say_unsigned(why: str, *, github: bool) -> None:
    if github:
        from intoto_action.cli.runner import notice

        notice(why)
    else:
        tell(why)


def _close_environment(private: tuple[str, ...], *, pass_oidc: bool) -> dict[str, str]:
    """Our environment as a copy; what the command must not see of it is no longer where it could look in /proc."""
    from intoto_action.cli.main import DEBUG
    from intoto_action.keys.memory import clear_dumpable, withdraw
    from intoto_action.record.child_environment import child_environment

    clear_dumpable()
    environ = dict(os.environ)
    withdraw(
        environ.keys() - child_environment(environ, private=private, pass_oidc=pass_oidc).keys() - {DEBUG}
    )
    return environ


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What the words of the command line come to."""

    phase: str
    task: Task
    publication: Publication
    state: str | None
    record_failure: bool


def _record(work: Work, here: Here) -> Recorded:
    from intoto_action.record import phases

    work.task.check(started=work.phase == "stop")
    if work.phase != "stop" and work.state is not None:
        raise Misused(f"--state: expected with --phase stop only, found with --phase {work.phase}")
    if work.phase == "start":
        return phases.start(work.task, here, force=work.publication.force)
    if work.phase == "after":
        return phases.after(work.task, work.publication, here)
    if work.phase == "run":
        return phases.run(work.task, work.publication, here, record_failure=work.record_failure)
    if work.state is None:
        raise Misused("--phase stop: expected --state with the digest that --phase start printed")
    return phases.stop(work.task, work.publication, here, work.state)


def _in_github_job(work: Work, here: Here) -> Recorded:
    """Record, and hand the outputs and a summary to the runner; the outputs also when nothing can be recorded.

    Raises: as recording does.
    """
    from tempfile import TemporaryDirectory

    from intoto_action.cli.runner import summarise
    from intoto_action.record.github_job import GithubJob, runner_directory
    from intoto_action.record.phases import Recorded
    from intoto_action.render.recorded import not_recorded

    ended: list[int] = []
    here = msgspec.structs.replace(here, ended=ended.append)
    with TemporaryDirectory(prefix="intoto-action-", dir=runner_directory(here.environ)) as directory:
        job = GithubJob(Path(directory), here.environ)
        try:
            recorded = _record(msgspec.structs.replace(work, task=job.prepare(work.task)), here)
        except IntotoActionError as error:
            summarise(not_recorded(work.task.step, str(error), error.topic))
            if ended:
                # The command's last line may have no end; an annotation has to begin one.
                click.echo(err=True)
                with suppress(IntotoActionError):  # what kept the step from being recorded is the news
                    job.hand_back(Recorded(return_value=ended[0]), signer_yaml)
            raise
        _summarise(recorded, work.task.step)
        job.hand_back(recorded, signer_yaml)
    return recorded


def _summarise(recorded: Recorded, step: str) -> None:
    from intoto_action.cli.runner import summarise
    from intoto_action.render import recorded as shown

    published = recorded.published
    if recorded.state:
        return
    if recorded.link is None or published is None:
        summarise(shown.not_recorded(step, f"the command ended with {recorded.return_value}"))
        return
    summary = shown.recorded(recorded.link, published.sha256)
    if published.signer is not None:
        signer = published.signer
        summary += "\n" + shown.signed(step, published.sha256, str(signer.key), signer_yaml(signer))
    elif published.fault is not None:
        topic = published.fault.topic if isinstance(published.fault, IntotoActionError) else None
        summary += "\n" + shown.not_signed(step, str(published.fault), topic)
    summarise(summary)


def _warn_of_links_among_artifacts(
    link_dir: Path, step: str, patterns: tuple[str, ...], excludes: tuple[str, ...]
) -> None:
    """in-toto leaves *.link* out; we do not, because it could be anything, so links had better lie elsewhere."""
    from intoto_action.record.select import would_select

    if would_select(patterns, excludes, link_dir / f"{step}.00000000.link"):
        tell(
            f"links go to {link_dir}, which is recorded: the next step would record them as files; give --link-dir a "
            "directory elsewhere, or leave them out with --exclude '*.link'"
        )


def _say(recorded: Recorded, who: list[str], *, github: bool) -> None:
    """Digests for a next call go to stdout, the rest to stderr: stdout is the command's.

    A digest is the last line, and a whole one: what the command wrote may not end in a line feed. `who` are the words
    for `sign` that say who signs; nobody has to type them in a job, where a later step does.
    Raises: what kept the link from being signed.
    """
    if recorded.state:
        _print(recorded.state, recorded.state)
    published = recorded.published
    if published is None:
        return
    if published.fault is not None:
        tell("the link is kept unsigned; when it can be signed, sign it with:")
        click.echo(f"    {_sign_command(published, recorded, who)}", err=True)
        raise published.fault
    if published.signer is None:
        _print(
            published.sha256 if recorded.return_value is None else f"\n{published.sha256}", published.sha256
        )
        if github:
            tell(f"unsigned link {published.path}")
            return
        tell(f"unsigned link {published.path}; sign it with:")
        click.echo(f"    {_sign_command(published, recorded, who)}", err=True)
    else:
        tell(f"link {published.path}, signed by {published.signer.key}")
        say_signer(published.signer)


def _sign_command(published: Published, recorded: Recorded, who: list[str]) -> str:
    """What to type to sign the link, quoted for a shell."""
    import shlex

    from intoto_action.render.escape import terminal

    step = recorded.link.name if recorded.link else "STEP"
    front = ["intoto-action", "sign", *who, "--step-name", step, "--expect", published.sha256]
    return terminal(shlex.join([*front, str(published.path)]), limit=16_384)


def _print(line: str, digest: str) -> None:
    """Raises: Misused when stdout takes no more; it holds the digest, which whoever calls us must not lose."""
    try:
        click.echo(line)
    except BrokenPipeError:
        raise
    except OSError as error:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)  # what is left in the buffer is written at the end, and would fail again
        os.close(nothing)
        raise WrongFile(f"stdout cannot take the digest ({error.strerror}), which is {digest}") from error
