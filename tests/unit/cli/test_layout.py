from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.parts.draft import HEAD, NAMES, STEPS, Draft
from tests.parts.forge import Forge, GitHubJob
from tests.parts.github_job import GITHUB_ISSUER
from tests.parts.keyless_signer import KeylessSigner

from intoto_action.author.open import read_envelope
from intoto_action.cli.main import main
from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.formats.identity import identity_of
from intoto_action.formats.layout import Layout, encode_layout, parse_layout
from intoto_action.keys.keygen import generate
from intoto_action.keys.sealing import seal
from intoto_action.keys.words import open_public_key, open_signer

PAIRS = {name: generate("ed25519", None) for name in NAMES}
GOOD = HEAD + STEPS
SHORT = "{repository: octo/app, workflow: build.yml, ref: refs/heads/main}"
BAD = GOOD.replace("CREATE out/*", "CRATE out/*").replace("[bob]", "[bop]")


@pytest.fixture
def draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draft:
    made = Draft(tmp_path, PAIRS)
    made.file.write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    for name in ("ACTIONS_ID_TOKEN_REQUEST_URL", "GITHUB_ACTIONS", "SIGSTORE_ID_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return made


def layout(*words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, ["layout", *words], env=env)


def sign(*words: str, key: str = "alice") -> Result:
    return layout("sign", "--key", key, *words, "layout.yaml")


def signatures() -> int:
    return len(read_envelope(Path("root.layout")).signatures)


class TestSign:
    def test_it_writes_root_layout_and_says_what_was_signed(self, draft: Draft) -> None:
        ended = sign()
        assert ended.exit_code == 0
        assert [line.split(": expected")[0] for line in ended.stderr.splitlines()] == [
            "layout.yaml:1:1: warning L29",
            "layout.yaml:8:39: warning L08",
        ]
        read = read_envelope(draft.directory / "root.layout")
        assert ended.stdout.splitlines() == [
            "layout       root.layout",
            f"keyid        {PAIRS['alice'].public.keyid}",
            f"sha256       {hashlib.sha256(read.payload).hexdigest()}",
            f"expires      {parse_layout(read.payload, 'layout').expires}",
        ]

    def test_a_layout_that_is_there_is_not_overwritten(self, draft: Draft) -> None:
        assert sign().exit_code == 0
        before = (draft.directory / "root.layout").read_bytes()
        ended = sign(key="bob")
        assert ended.exit_code == 2
        assert "--append adds a signature to it, --force replaces it" in ended.stderr
        assert (draft.directory / "root.layout").read_bytes() == before

    def test_force_replaces_it(self, draft: Draft) -> None:
        assert sign().exit_code == 0
        assert sign("--force", key="bob").exit_code == 0
        assert signatures() == 2

    def test_append_adds_to_it(self, draft: Draft) -> None:
        assert sign().exit_code == 0
        assert sign("--append", key="bob").exit_code == 0
        assert signatures() == 4

    def test_append_to_nothing_is_an_error(self, draft: Draft) -> None:
        ended = sign("--append")
        assert ended.exit_code == 2
        assert "root.layout cannot be read: there is no such file" in ended.stderr

    def test_append_after_a_change_is_an_error_and_changes_nothing(self, draft: Draft) -> None:
        assert sign().exit_code == 0
        before = (draft.directory / "root.layout").read_bytes()
        draft.file.write_text(GOOD.replace("CREATE out/*", "CREATE *"))
        ended = sign("--append", key="bob")
        assert ended.exit_code == 2
        assert "a difference in steps" in ended.stderr
        assert (draft.directory / "root.layout").read_bytes() == before

    def test_append_and_force_contradict_each_other(self, draft: Draft) -> None:
        assert "found both" in sign("--append", "--force").stderr

    def test_a_bad_layout_is_not_signed_and_all_of_it_is_told(self, draft: Draft) -> None:
        draft.file.write_text(BAD)
        ended = sign()
        assert ended.exit_code == 2
        lines = ended.stderr.splitlines()
        assert lines[0].startswith("error: layout.yaml:4:3: ")
        assert [line.split(":")[1] for line in lines[1:-1]] == ["10", "12"]
        assert lines[-1] == "  docs: docs/reason-codes.md#wrong-document"
        assert not (draft.directory / "root.layout").exists()

    def test_a_public_key_cannot_sign(self, draft: Draft) -> None:
        ended = sign(key="alice.pub")
        assert ended.exit_code == 2
        assert "a public key" in ended.stderr

    def test_the_key_may_come_from_the_environment(self, draft: Draft) -> None:
        environ = {"INTOTO_ACTION_LAYOUT_KEY": "env:KEY", "KEY": PAIRS["alice"].private_pem.decode()}
        assert layout("sign", "layout.yaml", env=environ).exit_code == 0

    def test_force_does_not_come_from_the_environment(self, draft: Draft) -> None:
        assert sign().exit_code == 0
        environ = {"INTOTO_ACTION_LAYOUT_FORCE": "1", "INTOTO_ACTION_LAYOUT_APPEND": "1"}
        assert layout("sign", "--key", "bob", "layout.yaml", env=environ).exit_code == 2

    def test_another_name_is_used_when_given(self, draft: Draft) -> None:
        assert sign("-o", "other.layout").exit_code == 0
        assert (draft.directory / "other.layout").exists()


class TestLint:
    def test_a_good_one_ends_with_0(self, draft: Draft) -> None:
        ended = layout("lint", "layout.yaml")
        assert ended.exit_code == 0
        assert ended.stdout.splitlines()[-1] == "layout.yaml: no errors, 2 warnings"

    def test_a_bad_one_ends_with_1_and_says_where(self, draft: Draft) -> None:
        draft.file.write_text(BAD)
        ended = layout("lint", "layout.yaml")
        assert ended.exit_code == 1
        assert [line.split(":")[1] for line in ended.stdout.splitlines()[:-1]] == ["4", "10", "12"]
        assert ended.stdout.splitlines()[-1] == "layout.yaml: 3 errors, no warnings"

    def test_a_signed_one_is_linted_too(self, draft: Draft) -> None:
        write_signed(draft, open_list(draft))
        ended = layout("lint", "root.layout")
        assert ended.exit_code == 1
        assert "root.layout: step 'build', expected_products: expected DISALLOW *" in ended.stdout
        assert "(L02)" in ended.stdout

    def test_a_signed_one_that_has_ended_is_an_error(self, draft: Draft) -> None:
        from msgspec.structs import replace

        write_signed(draft, replace(draft.layout(GOOD), expires="2020-01-01T00:00:00Z"))
        ended = layout("lint", "root.layout")
        assert ended.exit_code == 1
        assert "2020-01-01T00:00:00Z, which is over (L23)" in ended.stdout

    def test_a_signed_one_with_unknown_fields_is_an_error(self, draft: Draft) -> None:
        payload = encode_layout(draft.layout(GOOD)).replace(b'"threshold":1', b'"threshold":1,"treshold":5')
        (draft.directory / "root.layout").write_bytes(
            seal(PAYLOAD_TYPE, payload, open_signer("alice", environ={}))
        )
        ended = layout("lint", "root.layout")
        assert ended.exit_code == 1
        assert "treshold" in ended.stdout

    def test_a_file_that_is_not_there_ends_with_2(self, draft: Draft) -> None:
        assert layout("lint", "nothing.yaml").exit_code == 2

    @pytest.mark.parametrize("content", [b"{}", b'{"payload": 1', b"\x00", b"", b"{" * 5000])
    def test_no_content_is_met_with_a_traceback(self, draft: Draft, content: bytes) -> None:
        (draft.directory / "x.layout").write_bytes(content)
        assert layout("lint", "x.layout").exit_code == 1


class TestShow:
    def test_a_yaml_is_shown_as_what_it_means(self, draft: Draft) -> None:
        shown = layout("show", "layout.yaml").stdout
        assert "step build\n" in shown
        assert f"  signed by    1 of {PAIRS['bob'].public.keyid[:8]}\n" in shown
        assert "  products     CREATE out/*\n               DISALLOW *\n" in shown

    def test_a_signed_one_is_shown_with_digest_and_hints(self, draft: Draft) -> None:
        sign()
        shown = layout("show", "root.layout").stdout
        assert f"sha256       {read_envelope(Path('root.layout')).sha256}\n" in shown
        assert "hints, not checked here" in shown

    def test_an_open_list_is_shown_as_one(self, draft: Draft) -> None:
        write_signed(draft, open_list(draft))
        assert "products     (no rule: everything is allowed)\n" in layout("show", "root.layout").stdout

    def test_no_text_of_others_reaches_the_terminal_as_more_than_text(self, draft: Draft) -> None:
        from msgspec.structs import replace

        text = replace(draft.layout(GOOD), readme="\x1b[2J::error::x\n::set-output name=a::b\u202e")
        write_signed(draft, text)
        shown = layout("show", "root.layout").stdout
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert not any(line.startswith("::") for line in shown.splitlines())

    def test_a_bad_yaml_ends_with_2(self, draft: Draft) -> None:
        draft.file.write_text(BAD)
        assert layout("show", "layout.yaml").exit_code == 2


def open_list(draft: Draft) -> Layout:
    from msgspec.structs import replace

    made = draft.layout(GOOD)
    return replace(made, steps=[made.steps[0], replace(made.steps[1], expected_products=[])])


def write_signed(draft: Draft, made: Layout) -> None:
    document = seal(PAYLOAD_TYPE, encode_layout(made), open_signer("alice", environ={}))
    (draft.directory / "root.layout").write_bytes(document)


class TestFunctionary:
    WORDS = ("--repository", "octo/app", "--workflow", "build.yml", "--ref", "refs/heads/main")

    def test_what_is_printed_is_pub_and_can_be_pasted(self, draft: Draft) -> None:
        ended = layout("functionary", *self.WORDS)
        assert (ended.exit_code, ended.stderr) == (0, "")
        (draft.directory / "build.yaml").write_text(ended.stdout)
        identity = open_public_key("build.yaml", environ={})
        assert identity.entry.keyval.identity == GitHubJob().identity
        draft.file.write_text(
            HEAD.replace("  alice: {key: alice.pub}\n", ended.stdout) + STEPS.replace("alice", "build")
        )
        assert layout("lint", "layout.yaml").exit_code == 0
        assert f"identity {GitHubJob().identity}\n" in layout("show", "layout.yaml").stdout

    def test_its_words_come_from_the_environment_too(self) -> None:
        env = {"INTOTO_ACTION_LAYOUT_FUNCTIONARY_REPOSITORY": "octo/app"}
        assert (
            layout("functionary", *self.WORDS[2:], env=env).stdout
            == layout("functionary", *self.WORDS).stdout
        )

    def test_what_a_link_says_is_taken_with_a_note(self, draft: Draft) -> None:
        signer = KeylessSigner(Forge(), GitHubJob.pull_request())
        Path("build.link").write_bytes(seal(PAYLOAD_TYPE, b"{}", signer))
        ended = layout("functionary", "--from-link", "build.link")
        assert ended.exit_code == 0
        assert f"    identity: {signer.key.identity}\n" in ended.stdout
        assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == ["note", "note"]
        assert "neither it nor the signature is checked here" in ended.stderr

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "found none of them"),
            (("--repository", "octo/app"), "found --repository"),
            (
                (*WORDS, "--from-link", "x"),
                "expected --from-link alone, found --repository, --workflow, --ref too",
            ),
            (("--from-link", "x", "--from-token"), "expected --from-link alone, found --from-token too"),
            (("--from-token", "--ref", "x"), "expected --from-token alone, found --ref too"),
            (("--from-token",), "Without the OIDC token of a GitHub Actions job, say --repository"),
            (("--from-link", "nothing"), "cannot be read"),
            (("--repository", "octo", *WORDS[2:]), "layout functionary, repository: expected a repository"),
        ],
    )
    def test_words_that_do_not_go_together_are_told(
        self, draft: Draft, words: tuple[str, ...], said: str
    ) -> None:
        ended = layout("functionary", *words)
        assert ended.exit_code == 2
        assert said in ended.stderr
        assert ended.stdout == ""


def test_a_signed_layout_with_identities_is_linted_and_shown(draft: Draft) -> None:
    text = "source: {repository: octo/app}\n" + GOOD.replace("{key: alice.pub}", SHORT)
    from msgspec.structs import replace

    made = draft.layout(text)
    shared = identity_of(
        GitHubJob(called="octo/shared/.github/workflows/x.yml@refs/tags/v1").identity, GITHUB_ISSUER
    )
    broken = replace(
        made,
        keys={**made.keys, shared.keyid: shared.entry},
        steps=[replace(made.steps[0], pubkeys=[shared.keyid]), made.steps[1]],
    )
    write_signed(draft, broken)
    ended = layout("lint", "root.layout")
    assert ended.exit_code == 1
    assert f"root.layout: layout, key '{shared.keyid[:8]}': expected source-repository" in ended.stdout
    write_signed(draft, made)
    assert layout("lint", "root.layout").exit_code == 0
    assert "source-repository https://github.com/octo/app\n" in layout("show", "root.layout").stdout
