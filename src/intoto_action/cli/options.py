"""Groups of options that several verbs share, and where an option may come from the environment.

An earlier step of a job can set environment variables. So only verbs and flags that loosen nothing are read
from it (`option`); all of `verify` and `attach`, and whatever switches a check off, stands on the command
line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from intoto_action.reason import Misused, WrongFile

if TYPE_CHECKING:
    from intoto_action.deadline import Deadline
    from intoto_action.formats.reference import DirectoryReference, Reference
    from intoto_action.keys.interface import Signer
    from intoto_action.keys.sigstore import Instance
    from intoto_action.keys.sigstore_root import InstanceOnce, SigstoreRoot
    from intoto_action.store.interface import Store
    from intoto_action.store.job_token import JobToken

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
    """KEY, the variable with its password, and its public part."""

    key: str | None
    password_env: str | None
    keyless: bool = False
    public_key: str | None = None

    def public_environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment without the key and its password: for cosign and credential helpers, which need neither."""
        private = {(self.key or "").removeprefix("env:"), self.password_env}
        return {name: value for name, value in environ.items() if name not in private}

    @property
    def is_keyless(self) -> bool:
        """Whether an identity is to sign: `--keyless`, or the word for it in the place of a key. Raises: Misused."""
        from intoto_action.keys.words import KEYLESS

        if self.key is not None and self.keyless:
            raise Misused("expected --key or --keyless, found both")
        keyless = self.keyless or self.key == KEYLESS
        if keyless and self.public_key:
            raise Misused(
                "--public-key: expected beside a key, found beside an identity, whose certificate holds its own; "
                "leave it out"
            )
        return keyless

    def check(self, environ: Mapping[str, str] = os.environ) -> None:
        """Refuse a key that is not there before anything else is looked at: a secret is often not given.

        Raises: Misused.
        """
        from intoto_action.keys.words import check_variable

        if not self.is_keyless and self.key is not None:
            check_variable(self.key, environ)

    def signer(
        self, environ: Mapping[str, str] = os.environ, *, keyless: Callable[[], Signer] | None = None
    ) -> Signer:
        """Open the key; a password is asked for when there is a person to ask. `keyless` makes a signer without one.

        Raises: Misused.
        """
        from intoto_action.keys.words import open_signer

        if self.is_keyless and keyless is not None:
            return keyless()
        if self.key is None:
            raise Misused(
                "expected --key KEY (a PEM file, or env:NAME with the key in the variable NAME), or --keyless"
            )
        return open_signer(
            self.key,
            environ=environ,
            password_env=self.password_env,
            public_key=self.public_key,
            prompt=password_prompt(),
            tell=tell,
        )


def password_prompt() -> Callable[[str], str] | None:
    """A function that asks for a password on the terminal; None when nobody is there to answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str) -> str:
        return str(click.prompt(question, hide_input=True, err=True))

    return ask


def signing_options(verb: str) -> Callable[[Callback[R]], Callback[R]]:
    """`--key`, `--password-env`, `--public-key` and `--keyless` of `verb`, as `signing: SigningOptions`."""
    make = partial(option, verb) if verb in VERBS_WITH_ENVIRONMENT else click.option
    return group(
        "signing",
        SigningOptions,
        make(
            "--key",
            metavar="KEY",
            help="A PEM file, env:NAME, gnupg:HOMEDIR?id=ID, or the URI of a KMS or HSM.",
        ),
        make("--password-env", metavar="VAR", help="The variable with the password or the PIN of KEY."),
        make(
            "--public-key",
            metavar="PUB",
            help="The public part of KEY: needed beside the URI of a KMS or HSM.",
        ),
        make("--keyless", is_flag=True, help="Sign as this job or person, without a key: as --key keyless:."),
    )


class SigstoreOptions(msgspec.Struct, frozen=True):
    """Which Sigstore: `word` is production, staging, a file or a URL; `root_file` the TUF root of a URL."""

    word: str
    root_file: Path | None
    offline: bool

    @property
    def words(self) -> tuple[str | Path | None, ...]:
        """The words that may name files which are read."""
        return self.word, self.root_file

    def instance(self) -> InstanceOnce:
        """The instance, opened by whoever needs it first."""
        from intoto_action.keys.sigstore_root import InstanceOnce

        def opened(deadline: Deadline) -> Instance:
            from intoto_action.keys.sigstore import open_instance

            return open_instance(
                self.word, root_file=self.root_file, offline=self.offline, deadline=deadline, tell=tell
            )

        return InstanceOnce(opened)

    def root(self, deadline: Deadline) -> SigstoreRoot:
        """The trust root, opened when a decision needs it."""
        return self.instance().root(deadline)


def sigstore_options(verb: str) -> Callable[[Callback[R]], Callback[R]]:
    """`--sigstore`, `--sigstore-root` and `--offline` of `verb`, handed to it as `sigstore: SigstoreOptions`."""
    make = partial(option, verb) if verb in VERBS_WITH_ENVIRONMENT else click.option
    return group(
        "sigstore",
        _sigstore_options,
        make(
            "--sigstore",
            "sigstore_word",
            default="production",
            show_default=True,
            metavar="production|staging|FILE|URL",
            help="Whose certificates and logs count: a public instance, a client trust config, a TUF repository.",
        ),
        make(
            "--sigstore-root",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The TUF root of --sigstore URL.",
        ),
        make("--offline", is_flag=True, help="Ask no TUF repository; take the trust root that is here."),
    )


def _sigstore_options(sigstore_word: str, sigstore_root: Path | None, offline: bool) -> SigstoreOptions:
    return SigstoreOptions(sigstore_word, sigstore_root, offline)


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
        job_token: JobToken | None = None,
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
            job_token=job_token,
        )


def registry_options(callback: Callback[R]) -> Callback[R]:
    """`--allow-http-registry` and `--token-realm`, handed to the verb as `registry: RegistryOptions`."""
    return group(
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


def group(
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
    realms = dict(pair("--token-realm", "REGISTRY=HOST", word) for word in token_realm)
    for host in (*realms, *realms.values()):
        if "/" in host or "@" in host or any(each.isspace() for each in host):
            raise Misused(f"--token-realm: expected hosts, with a port if need be, found {host[:200]!r}")
    return RegistryOptions(allow_http_registry, realms)


def refuse_overwriting(flag: str, written: Path, words: Iterable[str | Path | None]) -> None:
    """Refuse to write a file over one that other words of the command name: keys above all, which nothing brings back.

    Words that name no file at all (`env:NAME`, an identity) do no harm here. Raises: Misused.
    """
    place = os.path.realpath(written)
    if any(os.path.realpath(word) == place for word in words if word and "\0" not in str(word)):
        raise WrongFile(f"{flag} {written} would overwrite another file of this command: name a new one")


def pair(flag: str, form: str, word: str) -> tuple[str, str]:
    """Both sides of the first `=` in a word. Raises: Misused when one is missing."""
    left, equals, right = word.partition("=")
    if not (left and equals and right):
        raise Misused(f"{flag}: expected {form}, found {word[:200]!r}")
    return left, right
