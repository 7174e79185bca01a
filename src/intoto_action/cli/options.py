"""Groups of options that several verbs share, and where an option may come from the environment.

An earlier step of a job can set environment variables. So only verbs and flags that loosen nothing are read
from it (`option`); all of `verify` and `attach`, and whatever switches a check off, stands on the command
line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from intoto_action.reason import Misused

if TYPE_CHECKING:
    from intoto_action.deadline import Deadline
    from intoto_action.decide.demands import Demands, Revoked, SameAs
    from intoto_action.formats.envelope import Envelope
    from intoto_action.formats.reference import DirectoryReference, Reference
    from intoto_action.keys.interface import Signer
    from intoto_action.store.interface import Store

R = TypeVar("R")
Callback = Callable[..., R]

PREFIX = "INTOTO_ACTION"
VERBS_WITH_ENVIRONMENT = frozenset({"keygen", "layout", "record", "sign"})
_LOOSENING = ("--no-", "--allow-", "--force", "--token-realm")


class _LineOption(click.Option):
    """An option whose list in the environment has one value a line, so that a value may hold spaces."""

    def value_from_envvar(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        if not self.multiple:
            return super().value_from_envvar(ctx)
        lines = (self.resolve_envvar_value(ctx) or "").split("\n")
        values = tuple(line.removesuffix("\r") for line in lines)
        return tuple(value for value in values if value.strip()) or None


def option(verb: str, *names: str, **settings: Any) -> Callable[[Callback[R]], Callback[R]]:  # noqa: ANN401
    """An option of `verb` that the environment variable `INTOTO_ACTION_<VERB>_<FLAG>` can give too.

    An empty variable is an unset one; the lines of one for a repeatable flag are its values. For flags that
    loosen nothing only.
    """
    flag = next(name for name in names if name.startswith("--")).partition("/")[0]
    if verb.partition(" ")[0] not in VERBS_WITH_ENVIRONMENT or flag.startswith(_LOOSENING):
        raise ValueError(f"{verb} {flag} must not come from the environment: use click.option")
    variable = f"{PREFIX}_{verb}_{flag.removeprefix('--')}".upper().replace("-", "_").replace(" ", "_")
    return click.option(*names, cls=_LineOption, envvar=variable, show_envvar=True, **settings)


def example(*lines: str) -> str:
    """The epilog of a verb's --help: lines that can be copied."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def tell(note: str) -> None:
    """Say a fact that changes nothing on stderr."""
    from intoto_action.render.escape import terminal

    click.echo(f"note: {terminal(note)}", err=True)


class SigningOptions(msgspec.Struct, frozen=True):
    """KEY, and the variable with its password."""

    key: str | None
    password_env: str | None
    keyless: bool = False

    def public_environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment without the key and its password: for cosign and credential helpers, which need neither."""
        private = {(self.key or "").removeprefix("env:"), self.password_env}
        return {name: value for name, value in environ.items() if name not in private}

    def signer(self, environ: Mapping[str, str] = os.environ) -> Signer:
        """Open the key; a password is asked for when there is a person to ask. Raises: Misused."""
        from intoto_action.keys.words import KEYLESS, open_signer

        if self.key is not None and self.keyless:
            raise Misused("expected --key or --keyless, found both")
        word = KEYLESS if self.keyless else self.key
        if word is None:
            raise Misused("expected --key KEY: a PEM file, or env:NAME with the key in the variable NAME")
        return open_signer(
            word, environ=environ, password_env=self.password_env, prompt=password_prompt(), tell=tell
        )


def password_prompt() -> Callable[[str], str] | None:
    """A function that asks for a password on the terminal; None when nobody is there to answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str) -> str:
        return str(click.prompt(question, hide_input=True, err=True))

    return ask


def signing_options(verb: str) -> Callable[[Callback[R]], Callback[R]]:
    """`--key`, `--password-env` and `--keyless` of `verb`, handed to it as `signing: SigningOptions`."""
    make = partial(option, verb) if verb in VERBS_WITH_ENVIRONMENT else click.option
    return _group(
        "signing",
        SigningOptions,
        make("--key", metavar="KEY", help="A PEM file, or env:NAME with the PEM in the variable NAME."),
        make("--password-env", metavar="VAR", help="The variable with the password of KEY."),
        make("--keyless", is_flag=True, hidden=True),
    )


class RegistryOptions(msgspec.Struct, frozen=True):
    """What loosens the way to a registry: http elsewhere than on loopback, token servers on other hosts."""

    allow_http: bool = False
    token_realms: Mapping[str, str] = {}

    def store(
        self,
        reference: Reference | DirectoryReference,
        deadline: Deadline,
        environ: Mapping[str, str],
        *,
        push_with: str = "cosign",
    ) -> Store:
        """The place where `reference` lies; all that is done there ends within `deadline`."""
        from intoto_action.store.open import open_store

        return open_store(
            reference,
            deadline=deadline,
            allow_http=self.allow_http,
            token_realms=self.token_realms,
            environ=environ,
            push_with=push_with,
        )


def registry_options(callback: Callback[R]) -> Callback[R]:
    """`--allow-http-registry` and `--token-realm`, handed to the verb as `registry: RegistryOptions`."""
    return _group(
        "registry",
        _registry_options,
        click.option(
            "--allow-http-registry",
            is_flag=True,
            help="Speak plain http to a registry beyond loopback whose port answers without TLS.",
        ),
        click.option(
            "--token-realm",
            multiple=True,
            metavar="REGISTRY=HOST[:PORT]",
            help="HOST gives out the tokens of REGISTRY and may get its credentials. Repeatable.",
        ),
    )(callback)


class TrustOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The words of a verifier, their form checked; `demands` opens the keys among them."""

    layout_keys: tuple[str, ...] = ()
    layout_threshold: int = 1
    attesters: tuple[str, ...] = ()
    same_as: tuple[tuple[str, str], ...] = ()
    subject_step: str | None = None
    revoked: tuple[str, ...] = ()
    layout_expires_after: datetime | None = None
    same_run: bool = False

    def demands(self, *, environ: Mapping[str, str], layout: Envelope | None = None) -> Demands:
        """What the words demand; without --layout-key the layout's root is not checked (`layout_trust` None).

        Raises: Misused and Malformed for keys that cannot be read, or a threshold that they cannot reach.
        """
        from intoto_action.decide.demands import Demands, Trust
        from intoto_action.keys.words import open_public_key

        if self.layout_threshold > 1 and not self.layout_keys:
            raise Misused(
                "expected --layout-key PUB beside --layout-threshold: whose signatures are to be counted?"
            )
        keys = tuple(open_public_key(word, environ=environ) for word in self.layout_keys)
        distinct = len({key.spki for key in keys})
        if keys and self.layout_threshold > distinct:
            raise Misused(
                f"expected at least {self.layout_threshold} different keys after --layout-key, because of "
                f"--layout-threshold, found {distinct}"
            )
        return Demands(
            layout_trust=Trust(keys, self.layout_threshold) if keys else None,
            layout=layout,
            attesters=tuple(open_public_key(word, environ=environ) for word in self.attesters),
            revoked=_revoked(self.revoked, environ),
            layout_expires_after=self.layout_expires_after,
            same_as=tuple(_same_as(mirror, origin) for mirror, origin in self.same_as),
            subject_step=self.subject_step,
            same_run=self.same_run,
        )


def trust_options(callback: Callback[R]) -> Callback[R]:
    """The flags that say what a verifier trusts, handed to the verb as `trust: TrustOptions`."""
    return _group(
        "trust",
        _trust_options,
        click.option(
            "--layout-key",
            multiple=True,
            metavar="PUB",
            help="A public key of a layout owner: a PEM file, PEM text, or env:NAME. Repeatable.",
        ),
        click.option(
            "--layout-threshold",
            type=click.IntRange(min=1),
            default=1,
            metavar="N",
            help="How many of them must have signed the layout (1).",
        ),
        click.option(
            "--attester",
            multiple=True,
            metavar="PUB",
            help="Who may attach evidence (else a signer of the layout, or a functionary). Repeatable.",
        ),
        click.option(
            "--same-as",
            multiple=True,
            metavar="FROM=TO",
            help="Images of FROM are mirrors of TO, e.g. mirror.corp/x/**=ghcr.io/x/**. Repeatable.",
        ),
        click.option(
            "--subject-step",
            metavar="S",
            help="The step whose product the image is, if the layout does not say.",
        ),
        click.option(
            "--revoked",
            multiple=True,
            metavar="WORD",
            help="A keyid, a public key (PUB) or the sha256 of a layout that counts no more. Repeatable.",
        ),
        click.option(
            "--layout-expires-after",
            metavar="T",
            help="Refuse layouts that end before T, e.g. 2030-01-31T12:00:00Z: older ones are out of use.",
        ),
        click.option("--same-run", is_flag=True, help="All links must come from one run of the workflow."),
    )(callback)


def timeout_option(seconds: int) -> Callable[[Callback[R]], Callback[R]]:
    """`--timeout`, the one deadline for everything a verb does over the network, in seconds."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=1, max=86_400),
        default=seconds,
        show_default=True,
        metavar="SECONDS",
        help="How long all of it may take over the network.",
    )


def format_option(callback: Callback[R]) -> Callback[R]:
    """`--format`, handed to the verb as `form`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json", "markdown"]),
        default="text",
        show_default=True,
        help="How the verdict is printed.",
    )(callback)


def _group(
    name: str, build: Callable[..., object], *options: Callable[[Callback[R]], Callback[R]]
) -> Callable[[Callback[R]], Callback[R]]:
    """Options whose values reach the verb as one parameter `name`, made by `build`."""

    def decorate(callback: Callback[R]) -> Callback[R]:
        before = len(getattr(callback, "__click_params__", ()))

        @wraps(callback)
        def with_group(*args: object, **given: object) -> R:
            group = {each: given.pop(each) for each in taken}
            given[name] = build(**group)
            return callback(*args, **given)

        decorated: Callback[R] = with_group
        for each in reversed(options):
            decorated = each(decorated)
        params: Sequence[click.Parameter] = getattr(decorated, "__click_params__", ())
        taken = [param.name for param in params[before:] if param.name]
        return decorated

    return decorate


def _registry_options(allow_http_registry: bool, token_realm: Sequence[str]) -> RegistryOptions:
    realms = dict(_pair("--token-realm", "REGISTRY=HOST", word) for word in token_realm)
    for host in (*realms, *realms.values()):
        if "/" in host or "@" in host or any(each.isspace() for each in host):
            raise Misused(f"--token-realm: expected hosts, with a port if need be, found {host[:200]!r}")
    return RegistryOptions(allow_http_registry, realms)


def _trust_options(
    layout_key: Sequence[str],
    layout_threshold: int,
    attester: Sequence[str],
    same_as: Sequence[str],
    subject_step: str | None,
    revoked: Sequence[str],
    layout_expires_after: str | None,
    same_run: bool,
) -> TrustOptions:
    return TrustOptions(
        layout_keys=tuple(layout_key),
        layout_threshold=layout_threshold,
        attesters=tuple(attester),
        same_as=tuple(_pair("--same-as", "FROM=TO", word) for word in same_as),
        subject_step=subject_step,
        revoked=tuple(revoked),
        layout_expires_after=_instant(layout_expires_after),
        same_run=same_run,
    )


def _pair(flag: str, form: str, word: str) -> tuple[str, str]:
    left, equals, right = word.partition("=")
    if not (left and equals and right):
        raise Misused(f"{flag}: expected {form}, found {word[:200]!r}")
    return left, right


def _instant(text: str | None) -> datetime | None:
    from intoto_action.formats.layout import parse_instant

    return None if text is None else parse_instant(text, "--layout-expires-after")


def _same_as(mirror: str, origin: str) -> SameAs:
    from intoto_action.decide.demands import SameAs

    if mirror.endswith("/**") != origin.endswith("/**"):
        raise Misused(
            f"--same-as: expected two repositories, or two prefixes that both end in /**, found "
            f"{mirror[:200]!r} and {origin[:200]!r}"
        )
    return SameAs(_repositories(mirror), _repositories(origin))


def _repositories(text: str) -> str:
    """A repository, or a prefix of some with `/**`, as references are written out in full."""
    from intoto_action.formats.reference import parse_registry_reference

    # Two segments more, because one behind docker.io would be read as docker.io/library/….
    probe = "/probe/probe" if text.endswith("/**") else ""
    reference = parse_registry_reference(text.removesuffix("/**") + probe)
    if reference.tag or reference.digest:
        raise Misused(f"--same-as: expected a repository without tag and digest, found {text[:200]!r}")
    return reference.name.removesuffix(probe) + "/**" if probe else reference.name


def _revoked(words: Sequence[str], environ: Mapping[str, str]) -> Revoked:
    from intoto_action.decide.demands import Revoked, is_hex_digest
    from intoto_action.keys.words import open_public_key

    keyids: set[str] = set()
    layouts: set[str] = set()
    for word in words:
        digest = word.removeprefix("sha256:")
        if is_hex_digest(digest):
            layouts.add(digest)
            keyids |= {digest} if digest == word else set()
        elif digest != word or (len(word) < 64 and all(each in "0123456789abcdef" for each in word)):
            raise Misused(
                f"--revoked: expected a whole keyid or sha256 of 64 hex digits, found {word[:200]!r}"
            )
        else:
            key = open_public_key(word, environ=environ)
            keyids |= key.names
    return Revoked(frozenset(keyids), frozenset(layouts))
