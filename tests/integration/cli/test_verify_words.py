"""Whatever stands on the command line or in a file of it: an exit code and a sentence, never a traceback."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.parts.desk import Desk, desk_at

from intoto_action.cli.main import main

FLAGS = [
    *("--layout-key", "--layout-threshold", "--layout", "--attester", "--bundle", "--same-run", "--digest"),
    *(
        "--same-as",
        "--subject-step",
        "--revoked",
        "--layout-expires-after",
        "--on-deny",
        "--format",
        "--report",
    ),
    *(
        "--link-dir",
        "--timeout",
        "--allow-http-registry",
        "--token-realm",
        "--key",
        "--tag",
        "--output",
        "--file",
    ),
    *(
        "--no-verify",
        "--push-with",
        "--password-env",
        "--repository",
        "--ref",
        "--event",
        "--any-commit",
        "--help",
    ),
]
VALUES = [
    *(
        "owner.pub",
        "owner.pem",
        "root.layout",
        "links",
        "images",
        "bundle.json",
        "nowhere",
        "out",
        ".",
        "",
        "-",
        "--",
    ),
    *(
        "oci-layout:images:1.0",
        "oci-layout:images",
        "oci-layout:",
        "oci-layout:links",
        "UPPER",
        "a@b",
        "a=b",
        "a/**=b/**",
    ),
    *(
        "0",
        "1",
        "-1",
        "9" * 30,
        "1e400",
        "nan",
        "build",
        "json",
        "warn",
        "native",
        "env:NOTHING",
        "env:",
        "sha256:",
    ),
    *(
        "sha256:" + "0" * 64,
        "f" * 64,
        "2030-01-31T12:00:00Z",
        "9999-99-99",
        "\0",
        "\x1b[2J",
        "ä\u202e",
        "\ud800",
    ),
    *("/dev/null", "/dev/zero", "/", "refs/heads/main", "https://github.com/octo/app", "keyless:", "[", "*"),
]
VERBS = [
    ["verify"],
    ["attach"],
    ["evidence", "extract"],
    ["evidence"],
    ["inspect", "source"],
    ["inspect"],
    ["x"],
]
words = st.lists(st.sampled_from(FLAGS) | st.sampled_from(VALUES) | st.text(max_size=12), max_size=10)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = desk_at(tmp_path_factory.mktemp("desk"))
    desk.shelf.attach(desk.chain.bundle())
    (desk.directory / "bundle.json").write_bytes(desk.chain.bundle())
    return desk


def no_traceback(argv: list[str]) -> None:
    # A name that could be one of a registry's would be asked for: these images lie here, or nowhere.
    ended = CliRunner().invoke(main, argv, input="")
    assert ended.exit_code in {0, 1, 2, 3}, (argv, ended.output)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), argv
    assert "internal-error" not in ended.output, (argv, ended.output)
    assert "PRIVATE KEY" not in ended.output, argv
    assert "Traceback" not in ended.output


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(verb=st.sampled_from(VERBS), rest=words)
def test_any_words_end_with_a_sentence(
    verb: list[str], rest: list[str], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.directory)
    monkeypatch.setattr("intoto_action.store.open._open_registry", _nobody_answers)
    no_traceback([*verb, *rest])


def _nobody_answers(*_: object, **__: object) -> object:
    from intoto_action.reason import Unavailable

    raise Unavailable("nobody answers here")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    victim=st.sampled_from(["root.layout", "bundle.json", "owner.pub", "links", "images/index.json"]),
    place=st.integers(0, 5000),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_any_byte_of_any_file_changed_ends_with_a_sentence(
    victim: str, place: int, byte: int, cut: bool, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.directory)
    path = sorted(Path("links").iterdir())[0] if victim == "links" else Path(victim)
    whole = path.read_bytes()
    place %= len(whole)
    path.write_bytes(whole[:place] if cut else whole[:place] + bytes([byte]) + whole[place + 1 :])
    try:
        key = ["--layout-key", "owner.pub"]
        no_traceback(["verify", "oci-layout:images:1.0", *key, "--layout", "root.layout"])
        no_traceback(["verify", "--digest", desk.shelf.digest, "--bundle", "bundle.json", *key])
        no_traceback(["verify", "--link-dir", "links", "--layout", "root.layout", *key])
        no_traceback(
            ["inspect", "source", "--repository", "https://github.com/octo/app", "--link-dir", "links"]
        )
    finally:
        path.write_bytes(whole)
