from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from tests.parts.github_job import GITHUB_ISSUER, GitHubJob
from tests.parts.openpgp import ALICE as GPG_ALICE
from tests.parts.openpgp import ALICE_SUBKEY, with_subkey

from intoto_action.cli.options import (
    RegistryOptions,
    SigningOptions,
    example,
    format_option,
    option,
    registry_options,
    signing_options,
)
from intoto_action.cli.trust_options import TrustOptions, trust_options
from intoto_action.decide.demands import Demands, SameAs
from intoto_action.formats.gpg_key import gpg_key
from intoto_action.formats.identity import identity_of
from intoto_action.formats.key import public_key_from_crypto
from intoto_action.keys.keygen import generate
from intoto_action.keys.words import open_signer
from intoto_action.reason import Malformed, Misused

BUILD = f"identity={GitHubJob().identity},issuer={GITHUB_ISSUER}"
WORKFLOW = identity_of(GitHubJob().identity, GITHUB_ISSUER)
ALICE, BOB = generate("ed25519", None).public, generate("ecdsa", None).public


def failure(result: Result) -> BaseException:
    assert result.exception is not None
    return result.exception


def test_a_public_key_beside_an_identity_is_refused() -> None:
    for signing in (
        SigningOptions(None, None, True, "a.pub"),
        SigningOptions("keyless:", None, False, "a.pub"),
    ):
        with pytest.raises(Misused, match="--public-key: expected beside a key, found beside an identity"):
            signing.signer({})


class TestTheEnvironment:
    def values(self, variable: str, *words: str, multiple: bool = True) -> object:
        """What --materials of record is, with this in its environment variable and these words in argv."""
        seen: list[object] = []

        @click.command()
        @option("record", "--materials", multiple=multiple)
        def verb(materials: object) -> None:
            seen.append(materials)

        environ = {"INTOTO_ACTION_RECORD_MATERIALS": variable}
        result = CliRunner().invoke(verb, words, env=environ, catch_exceptions=False)
        assert result.exit_code == 0
        return seen[0]

    def test_a_list_is_split_on_newlines_only(self) -> None:
        assert self.values("a b\nc:d\r\n\n  e,f\n") == ("a b", "c:d", "  e,f")

    def test_an_empty_list_is_none(self) -> None:
        assert self.values("") == ()
        assert self.values("\n \n") == ()

    def test_an_empty_variable_is_an_unset_one(self) -> None:
        assert self.values("", multiple=False) is None

    def test_a_single_value_is_taken_as_it_is(self) -> None:
        assert self.values("a b\nc", multiple=False) == "a b\nc"

    def test_the_command_line_beats_the_environment(self) -> None:
        assert self.values("a", "--materials", "b") == ("b",)

    @pytest.mark.parametrize(
        ("verb", "flag"),
        [
            ("verify", "--layout-key"),
            ("attach", "--layout"),
            ("evidence", "--layout"),
            ("record", "--force"),
            ("record", "--no-anything"),
            ("record", "--allow-http-registry"),
            ("record", "--token-realm"),
        ],
    )
    def test_what_loosens_or_decides_cannot_be_declared_to_come_from_it(self, verb: str, flag: str) -> None:
        with pytest.raises(ValueError, match="must not come from the environment"):
            option(verb, flag)

    @pytest.mark.parametrize("group", [trust_options, registry_options, format_option])
    def test_no_group_of_verify_and_attach_reads_it(
        self, group: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert callable(group)
        command = click.command()(group(lambda **_: None))
        assert [param.name for param in command.params if param.envvar] == []


class TestSigning:
    def parse(self, *words: str, **environ: str) -> SigningOptions:
        seen: list[SigningOptions] = []

        @click.command()
        @signing_options("sign")
        def verb(signing: SigningOptions) -> None:
            seen.append(signing)

        CliRunner().invoke(verb, words, env=environ, catch_exceptions=False)
        return seen[0]

    def test_key_and_password_come_from_argv_or_environment(self) -> None:
        expected = SigningOptions("key.pem", "PASSWORD")
        assert self.parse("--key", "key.pem", "--password-env", "PASSWORD") == expected
        environ = {"INTOTO_ACTION_SIGN_KEY": "key.pem", "INTOTO_ACTION_SIGN_PASSWORD_ENV": "PASSWORD"}
        assert self.parse(**environ) == expected

    def test_a_signer_is_opened_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pair = generate("ed25519", None)
        monkeypatch.setenv("SIGNING_KEY", pair.private_pem.decode())
        assert self.parse("--key", "env:SIGNING_KEY").signer().key == pair.public

    def test_without_a_key_the_flag_is_named(self) -> None:
        with pytest.raises(Misused, match="expected --key KEY"):
            self.parse().signer()

    @pytest.mark.parametrize("words", [("--keyless",), ("--key", "keyless:")])
    def test_a_flag_and_a_word_say_that_an_identity_signs(self, words: tuple[str, ...]) -> None:
        signer = open_signer("env:K", environ={"K": generate("ed25519", None).private_pem.decode()})
        signing = self.parse(*words)
        assert signing.is_keyless
        assert signing.signer(keyless=lambda: signer) is signer

    def test_a_key_and_keyless_are_one_too_many(self) -> None:
        with pytest.raises(Misused, match="found both"):
            self.parse("--keyless", "--key", "x").signer()


class TestRegistry:
    def parse(self, *words: str) -> RegistryOptions:
        seen: list[RegistryOptions] = []

        @click.command()
        @registry_options
        def verb(registry: RegistryOptions) -> None:
            seen.append(registry)

        result = CliRunner().invoke(verb, words)
        if result.exception:
            raise result.exception
        return seen[0]

    def test_nothing_is_loosened_unasked(self) -> None:
        assert self.parse() == RegistryOptions(False, {})

    def test_realms_are_pairs_of_hosts(self) -> None:
        words = ["--token-realm", "r.corp:5000=auth.corp", "--token-realm", "b.corp=c.corp"]
        expected = {"r.corp:5000": "auth.corp", "b.corp": "c.corp"}
        assert self.parse("--allow-http-registry", *words) == RegistryOptions(True, expected)

    @pytest.mark.parametrize("word", ["r.corp", "=h", "r=", "r=https://h/token", "r=u@h", "r=h h"])
    def test_a_realm_that_is_no_pair_of_hosts_is_refused(self, word: str) -> None:
        with pytest.raises(Misused, match="--token-realm: expected"):
            self.parse("--token-realm", word)


class TestTrust:
    def parse(self, *words: str) -> TrustOptions:
        seen: list[TrustOptions] = []

        @click.command()
        @trust_options
        @click.argument("image", required=False)
        def verb(trust: TrustOptions, image: str | None) -> None:
            assert image is None
            seen.append(trust)

        result = CliRunner().invoke(verb, words)
        if result.exception:
            raise result.exception
        return seen[0]

    def demands(self, *words: str) -> Demands:
        return self.parse(*words).demands(environ={"ALICE": ALICE.pem, "BOB": BOB.pem})

    def test_without_words_nothing_is_trusted(self) -> None:
        assert self.parse() == TrustOptions()
        assert self.demands().layout_trust is None

    @pytest.mark.parametrize(
        ("words", "pair"),
        [
            ("mirror.corp/**=docker.io/**", SameAs("mirror.corp/**", "docker.io/**")),
            ("mirror.corp/hub/**=docker.io/library/**", SameAs("mirror.corp/hub/**", "docker.io/library/**")),
            ("mirror.corp/x/app=alpine", SameAs("mirror.corp/x/app", "docker.io/library/alpine")),
        ],
    )
    def test_a_mirror_of_docker_hub_is_what_it_says(self, words: str, pair: SameAs) -> None:
        assert self.demands("--same-as", words).same_as == (pair,)

    def test_a_threshold_without_keys_counts_nothing(self) -> None:
        with pytest.raises(Misused, match="--layout-key"):
            self.demands("--layout-threshold", "2")

    def test_every_word_finds_its_field(self) -> None:
        words = ["--layout-key", "env:ALICE", "--layout-key", "env:BOB", "--layout-threshold", "2"]
        words += ["--attester", "env:BOB", "--same-as", "mirror.corp/x/**=ghcr.io/x/**"]
        words += ["--subject-step", "push", "--revoked", "a" * 64, "--revoked", f"sha256:{'b' * 64}"]
        words += ["--layout-expires-after", "2030-01-31T12:00:00Z", "--same-run"]
        demands = self.demands(*words)
        assert demands.layout_trust is not None
        assert demands.layout_trust.keys == (ALICE, BOB)
        assert demands.layout_trust.threshold == 2
        assert demands.attesters == (BOB,)
        assert demands.same_as == (SameAs("mirror.corp/x/**", "ghcr.io/x/**"),)
        assert demands.subject_step == "push"
        assert demands.revoked.keyids == {"a" * 64}
        assert demands.revoked.layouts == {"a" * 64, "b" * 64}
        assert demands.layout_expires_after == datetime(2030, 1, 31, 12, tzinfo=UTC)
        assert demands.same_run

    def test_keys_and_identities_meet_a_threshold_together(self) -> None:
        words = ["--layout-key", "env:ALICE", "--layout-key", BUILD, "--layout-threshold", "2"]
        trust = self.demands(*words, "--attester", BUILD).layout_trust
        assert trust is not None
        assert [each.keyid for each in trust.keys] == [ALICE.keyid, WORKFLOW.keyid]

    def test_one_identity_twice_does_not_reach_a_threshold_of_two_whatever_its_claims(self) -> None:
        words = ["--layout-key", BUILD, "--layout-key", f"{BUILD},event=push", "--layout-threshold", "2"]
        with pytest.raises(Misused, match="one identity counts once, whatever claims stand beside it"):
            self.demands(*words)

    def test_a_revoked_identity_is_revoked_for_whatever_it_is_called(self) -> None:
        revoked = self.demands("--revoked", f"{BUILD},event=push").revoked
        assert [each.identity for each in revoked.identities] == [WORKFLOW.identity]
        assert not revoked.key(WORKFLOW)

    def test_a_revoked_public_key_is_revoked_under_all_its_keyids(self) -> None:
        assert self.demands("--revoked", "env:ALICE").revoked.key(ALICE)
        assert not self.demands("--revoked", "env:ALICE").revoked.key(BOB)

    def test_a_gpg_key_is_revoked_by_its_fingerprint_in_either_case(self) -> None:
        key = gpg_key(GPG_ALICE.fingerprint, GPG_ALICE.public, "alice.asc")
        for word in (GPG_ALICE.fingerprint, GPG_ALICE.fingerprint.upper()):
            assert self.demands("--revoked", word).revoked.key(key)
        assert not self.demands("--revoked", "ab" * 20).revoked.key(key)

    def test_a_gpg_key_is_revoked_with_all_its_subkeys_by_its_file_although_it_says_that_it_is_revoked(
        self, tmp_path: Path
    ) -> None:
        whole = with_subkey().directly(GPG_ALICE.sign(0x20, GPG_ALICE.framed))
        (tmp_path / "alice.gpg").write_bytes(whole.raw)
        revoked = self.demands("--revoked", str(tmp_path / "alice.gpg")).revoked
        for each in (GPG_ALICE, ALICE_SUBKEY):
            assert revoked.key(gpg_key(each.fingerprint, each.public, "alice.asc"))
            assert revoked.key(public_key_from_crypto(each.public, "the same key in a PEM file"))

    @pytest.mark.parametrize("word", ["abcd1234", "sha256:abcd", f"sha256:{'g' * 64}", "ab" * 19, "ab" * 21])
    def test_a_part_of_a_keyid_revokes_nothing_and_is_refused(self, word: str) -> None:
        with pytest.raises(Misused, match="--revoked: expected a whole keyid"):
            self.demands("--revoked", word)

    def test_one_key_twice_does_not_reach_a_threshold_of_two(self) -> None:
        words = ["--layout-key", "env:ALICE", "--layout-key", "env:ALICE", "--layout-threshold", "2"]
        with pytest.raises(Misused, match="at least 2 different keys"):
            self.demands(*words)

    @pytest.mark.parametrize("threshold", ["0", "-1", "x"])
    def test_a_threshold_below_one_is_a_usage_error(self, threshold: str) -> None:
        with pytest.raises(SystemExit):
            self.parse("--layout-threshold", threshold)

    @pytest.mark.parametrize(
        ("word", "pair"),
        [
            ("mirror.corp:5000/app=ghcr.io/o/app", ("mirror.corp:5000/app", "ghcr.io/o/app")),
            ("mirror.corp/**=docker.io/library/**", ("mirror.corp/**", "docker.io/library/**")),
            ("mirror.corp/alpine=alpine", ("mirror.corp/alpine", "docker.io/library/alpine")),
        ],
    )
    def test_repositories_are_written_out_in_full(self, word: str, pair: tuple[str, str]) -> None:
        assert self.demands("--same-as", word).same_as == (SameAs(*pair),)

    @pytest.mark.parametrize(
        "word",
        [
            "mirror.corp/x",
            "=ghcr.io/x",
            "a.b/x/**=ghcr.io/x",
            "a.b/x:1=ghcr.io/x",
            f"a.b/x=ghcr.io/x@sha256:{'a' * 64}",
        ],
    )
    def test_what_is_no_pair_of_repositories_is_refused(self, word: str) -> None:
        with pytest.raises(Misused, match="--same-as: expected"):
            self.demands("--same-as", word)

    @pytest.mark.parametrize("word", ["a.b/X/**=ghcr.io/x/**", "a.b/*/x=ghcr.io/x"])
    def test_what_is_no_repository_is_refused(self, word: str) -> None:
        with pytest.raises(Malformed, match="image reference"):
            self.demands("--same-as", word)

    def test_an_instant_that_is_none_is_refused(self) -> None:
        with pytest.raises(Malformed, match="--layout-expires-after: expected an instant"):
            self.parse("--layout-expires-after", "next year")


def test_an_example_stays_on_its_lines() -> None:
    command = click.Command("verb", epilog=example("intoto-action verb \\", "    --flag x"))
    shown = command.get_help(click.Context(command))
    assert "  Example:\n    intoto-action verb \\\n        --flag x" in shown


def test_what_we_start_gets_the_environment_without_the_key_and_its_password() -> None:
    signing = SigningOptions(key="env:SIGNING_KEY", password_env="SIGNING_PASSWORD")
    environ = {"SIGNING_KEY": "pem", "SIGNING_PASSWORD": "secret", "PATH": "/bin", "DOCKER_CONFIG": "/d"}
    assert signing.public_environ(environ) == {"PATH": "/bin", "DOCKER_CONFIG": "/d"}
    assert SigningOptions(key="PATH", password_env=None).public_environ({"HOME": "/h"}) == {"HOME": "/h"}
