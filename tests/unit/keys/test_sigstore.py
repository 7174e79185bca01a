"""Which Sigstore: a file, a public instance, a TUF repository; and what serves when the repository does not answer."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import pytest
from sigstore.models import ClientTrustConfig
from tests.parts.forge import Forge
from tests.parts.loopback import HANG, Reply
from tests.parts.tuf_mirror import TufFiles, TufMirror

from intoto_action.deadline import Deadline
from intoto_action.keys.sigstore import GRACE, PUBLIC, Instance, open_instance
from intoto_action.keys.tuf_repository import TufRepository
from intoto_action.reason import Misused, Reason, Unavailable

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


@pytest.fixture
def targets(forge: Forge) -> dict[str, bytes]:
    config = json.loads(forge.trust_config)["signingConfig"]
    return {
        "trusted_root.json": forge.trusted_root.encode(),
        "signing_config.v0.2.json": json.dumps(config).encode(),
    }


@pytest.fixture
def mirror(targets: dict[str, bytes]) -> Iterator[TufMirror]:
    with TufMirror(targets) as running:
        yield running


@dataclass
class Opener:
    """Opens a TUF repository from its first root, with a cache of its own."""

    mirror: TufMirror
    folder: Path
    notes: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    first_root: bytes = b""

    def __call__(
        self,
        *,
        offline: bool = False,
        seconds: float = 10,
        now: datetime | None = None,
        url: str = "",
        deadline: Deadline | None = None,
    ) -> Instance:
        root_file = self.folder / "root.json"
        root_file.write_bytes(self.first_root or self.mirror.first_root)
        return open_instance(
            url or self.mirror.url,
            root_file=root_file,
            offline=offline,
            deadline=deadline or Deadline(seconds),
            tell=self.notes.append,
            environ=self.environ,
            now=now,
        )

    @property
    def told(self) -> str:
        return "\n".join(self.notes)


@pytest.fixture
def opener(mirror: TufMirror, tmp_path: Path) -> Opener:
    return Opener(mirror, tmp_path, environ={"XDG_CACHE_HOME": str(tmp_path / "cache")})


def public(
    word: str, environ: dict[str, str], *, now: datetime | None = None, offline: bool = True
) -> Instance:
    return open_instance(
        word,
        root_file=None,
        offline=offline,
        deadline=Deadline(0),
        tell=lambda _: None,
        environ=environ,
        now=now,
    )


class TestRepository:
    def test_its_roots_are_the_instance(self, opener: Opener, forge: Forge) -> None:
        instance = opener()
        assert opener.notes == []
        assert opener.mirror.url in instance.name
        assert instance.trust_root.name == instance.name
        config = ClientTrustConfig.from_json(instance.trust_config.decode())
        assert config.trusted_root.get_fulcio_certs()
        assert config.signing_config.get_fulcio().url.startswith("https://fulcio.")

    def test_a_repository_without_a_signing_config_is_good_for_verifying(
        self, opener: Opener, targets: dict[str, bytes]
    ) -> None:
        opener.mirror.publish({"trusted_root.json": targets["trusted_root.json"]})
        instance = opener()
        assert instance.trust_root
        with pytest.raises(Misused, match="no signing config, so it is not known where to sign"):
            instance.trust_config  # noqa: B018

    def test_a_repository_without_a_trusted_root_is_none_of_sigstore(self, opener: Opener) -> None:
        opener.mirror.publish({"other.json": b"{}"})
        with pytest.raises(
            Unavailable, match=r"has no target trusted_root\.json; nothing is kept here"
        ) as error:
            opener()
        assert error.value.reason is Reason.SIGSTORE_UNAVAILABLE

    def test_a_second_look_asks_only_whether_there_is_news(self, opener: Opener) -> None:
        opener()
        opener.mirror.asked.clear()
        opener()
        assert opener.mirror.asked == ["2.root.json", "timestamp.json"]

    def test_news_are_taken(self, opener: Opener, targets: dict[str, bytes]) -> None:
        opener()
        other = Forge()
        opener.mirror.rotate()
        opener.mirror.publish(targets | {"trusted_root.json": other.trusted_root.encode()})
        assert json.loads(opener().trust_config)["trustedRoot"] == json.loads(other.trusted_root)

    @pytest.mark.parametrize(
        "environ", [{}, {"HOME": "/proc/none"}, {"XDG_CACHE_HOME": "relative"}, {"HOME": ""}]
    )
    def test_a_place_to_write_to_is_not_needed(
        self, opener: Opener, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(opener.folder)
        opener.environ = environ
        assert opener().trust_root
        assert sorted(os.listdir()) == ["root.json"]

    def test_the_cache_of_the_user_is_below_home(self, opener: Opener) -> None:
        opener.environ = {"HOME": str(opener.folder)}
        opener()
        (kept,) = (opener.folder / ".cache/intoto-action/tuf").iterdir()
        assert (kept / "targets/trusted_root.json").is_file()

    def test_two_processes_do_not_write_into_one_cache(self, opener: Opener) -> None:
        import fcntl

        opener()
        (kept,) = (opener.folder / "cache/intoto-action/tuf").iterdir()
        (kept / "targets/trusted_root.json").unlink()
        with (kept / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert opener().trust_root
        assert not (kept / "targets/trusted_root.json").exists()


class TestARepositoryThatFails:
    @pytest.mark.parametrize(
        ("reply", "words"),
        [
            (Reply(503), "503"),
            (Reply(200, b"<html>"), "deserialize"),
            (HANG, "not finished within 0 seconds"),
        ],
    )
    def test_without_anything_kept_it_is_named(self, opener: Opener, reply: Reply, words: str) -> None:
        opener.mirror.reply = reply
        with pytest.raises(Unavailable, match=words) as error:
            opener(seconds=10 if reply is not HANG else 0.3)
        assert opener.mirror.url in str(error.value)
        assert error.value.reason is Reason.SIGSTORE_UNAVAILABLE

    def test_one_that_is_not_there_is_named(self, opener: Opener) -> None:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1.*nothing is kept here"):
            opener(seconds=1, url="http://127.0.0.1:1")

    @pytest.mark.parametrize(
        "name", ["timestamp.json", "1.snapshot.json", "1.targets.json", "trusted_root.json"]
    )
    def test_what_nobody_signed_is_not_taken(self, opener: Opener, name: str) -> None:
        forged = TufFiles({"trusted_root.json": Forge().trusted_root.encode()}).files
        for path in [each for each in opener.mirror.files if each.endswith(name)]:
            opener.mirror.files[path] = forged.get(path, b"{}")
        with pytest.raises(Unavailable):
            opener()

    def test_a_root_of_somebody_else_trusts_nothing_of_it(self, opener: Opener) -> None:
        opener.first_root = TufFiles({}).first_root
        with pytest.raises(Unavailable, match="signed by 0/1 keys"):
            opener()

    def test_metadata_that_is_over_is_not_taken(self, opener: Opener, targets: dict[str, bytes]) -> None:
        opener.mirror.publish(targets, expires=datetime.now(UTC) - DAY)
        with pytest.raises(Unavailable, match="expired"):
            opener()

    def test_what_is_kept_serves_while_it_is_current_and_some_days_more(self, opener: Opener) -> None:
        opener()
        opener.mirror.reply = Reply(503)
        good_until = datetime.now(UTC) + 7 * DAY
        assert opener(now=good_until - DAY).trust_root
        assert f"503; the Sigstore of {opener.mirror.url} is taken as it was kept here" in opener.told
        assert opener.told.endswith(f"signed for use until {good_until:%Y-%m-%d}")
        opener.notes.clear()
        assert opener(now=good_until + 5 * DAY + DAY / 2).trust_root
        assert opener.told.endswith(f"signed for use until {good_until:%Y-%m-%d} (5 days ago)")
        with pytest.raises(Unavailable, match=r"\(30 days ago\), and serves at most 30 days longer"):
            opener(now=good_until + GRACE + DAY / 2)

    def test_one_that_hangs_takes_half_of_the_time_that_is_left(self, opener: Opener) -> None:
        opener()
        opener.mirror.reply = HANG
        assert opener(deadline=Deadline(2, clock=lambda: 0.0)).trust_root
        assert "was not finished within 1 seconds" in opener.told

    def test_one_that_comes_back_is_asked_again(self, opener: Opener) -> None:
        opener.mirror.reply = Reply(503)
        with pytest.raises(Unavailable):
            opener()
        opener.mirror.reply = None
        assert opener().trust_root


class TestOffline:
    def test_what_is_kept_serves_however_old_it_is(self, opener: Opener) -> None:
        opener()
        opener.mirror.asked.clear()
        assert opener(offline=True, now=datetime.now(UTC) + 1000 * DAY).trust_root
        assert opener.mirror.asked == []
        assert "is taken as it was kept here, signed for use until " in opener.told
        assert opener.told.endswith("(993 days ago)")

    def test_without_anything_kept_there_is_nothing(self, opener: Opener) -> None:
        with pytest.raises(Unavailable, match="run it once without --offline"):
            opener(offline=True)

    @pytest.mark.parametrize("hashes", [True, False])
    def test_what_others_put_into_the_cache_is_not_taken(
        self, opener: Opener, targets: dict[str, bytes], hashes: bool
    ) -> None:
        opener.mirror.hashes = hashes
        opener.mirror.publish(targets)
        opener()
        (kept,) = (opener.folder / "cache/intoto-action/tuf").iterdir()
        before = {path: path.read_bytes() for path in kept.rglob("*.json")}
        opener.mirror.publish({"trusted_root.json": Forge().trusted_root.encode()})
        opener()
        for path, content in before.items():
            if path.parent.name in {"targets", "metadata"} and path.name != "root.json":
                now = path.read_bytes()
                if content == now:
                    continue
                path.write_bytes(content)
                with pytest.raises(Unavailable, match="nothing of the Sigstore of"):
                    opener(offline=True)
                path.write_bytes(now)
        assert opener(offline=True).trust_root

    def test_a_later_root_is_followed_in_the_cache_too(
        self, opener: Opener, targets: dict[str, bytes]
    ) -> None:
        opener.mirror.rotate()
        opener.mirror.publish(targets)
        opener()
        assert opener(offline=True).trust_root

    def test_a_later_root_of_somebody_else_is_not_followed(
        self, opener: Opener, targets: dict[str, bytes]
    ) -> None:
        opener()
        other = TufFiles({})
        other.rotate()
        other.publish(targets)
        (kept,) = (opener.folder / "cache/intoto-action/tuf").iterdir()
        metadata = kept / "metadata"
        (metadata / "root_history/2.root.json").write_bytes(other.files["2.root.json"])
        for name in ("timestamp", "snapshot", "targets"):
            version = "" if name == "timestamp" else "2."
            (metadata / f"{name}.json").write_bytes(other.files[f"{version}{name}.json"])
        with pytest.raises(Unavailable, match="run it once"):
            opener(offline=True)

    def test_targets_that_the_snapshot_does_not_mean_are_not_taken_though_signed(
        self, opener: Opener
    ) -> None:
        opener()
        (kept,) = (opener.folder / "cache/intoto-action/tuf").iterdir()
        evil = Forge().trusted_root.encode()
        (kept / "metadata/targets.json").write_bytes(opener.mirror.targets(1, {"trusted_root.json": evil}))
        (kept / "targets/trusted_root.json").write_bytes(evil)
        with pytest.raises(Unavailable, match="run it once"):
            opener(offline=True)


class TestPublic:
    @pytest.mark.parametrize("word", PUBLIC)
    def test_what_came_with_sigstore_python_serves_offline_and_without_a_home(self, word: str) -> None:
        instance = public(word, {})
        assert instance.name == f"the {word} instance of Sigstore"
        ClientTrustConfig.from_json(instance.trust_config.decode())
        assert instance.trust_root

    @pytest.mark.parametrize("word", PUBLIC)
    def test_its_log_is_known_to_be_public(self, word: str) -> None:
        assert public(word, {}).public_log

    def test_it_serves_some_days_longer_than_it_was_signed_for_when_the_repository_does_not_answer(
        self,
    ) -> None:
        notes: list[str] = []

        def at(now: datetime) -> Instance:
            return open_instance(
                "production",
                root_file=None,
                offline=False,
                deadline=Deadline(0),
                tell=notes.append,
                environ={},
                now=now,
            )

        assert at(datetime(2026, 1, 1, tzinfo=UTC)).trust_root
        assert "is taken as it came with sigstore-python, signed for use until 20" in notes[0]
        with pytest.raises(Unavailable, match=r"what is here is signed for use until 20.* days ago"):
            at(datetime(2100, 1, 1, tzinfo=UTC))

    def test_a_cache_that_somebody_made_up_is_no_production(self, opener: Opener) -> None:
        opener()
        url = PUBLIC["production"]
        first_root = (files("sigstore._store") / quote(url, safe="") / "root.json").read_bytes()
        (made_up,) = (opener.folder / "cache/intoto-action/tuf").iterdir()
        key = hashlib.sha256(url.encode() + b"\0" + first_root).hexdigest()[:20]
        made_up.rename(made_up.with_name(key))
        assert TufRepository(url, first_root, opener.environ).kept() is None
        assert TufRepository(opener.mirror.url, opener.mirror.first_root, opener.environ).kept() is None


class TestWords:
    def refused(self, word: str, root_file: Path | None = None) -> str:
        with pytest.raises(Misused) as error:
            open_instance(
                word, root_file=root_file, offline=True, deadline=Deadline(0), tell=lambda _: None, environ={}
            )
        return str(error.value)

    def test_a_word_that_is_nearly_one_is_told(self) -> None:
        assert "(did you mean 'production'?)" in self.refused("prodution")

    @pytest.mark.parametrize(
        "url", ["http://tuf.example", "ftp://127.0.0.1", "https://", "https://tuf.example/?a=b"]
    )
    def test_a_repository_is_reached_with_tls_except_on_loopback(self, url: str) -> None:
        assert "expected the https URL of a TUF repository" in self.refused(url)

    def test_a_repository_is_nothing_without_its_first_root(self) -> None:
        assert "expected --sigstore-root FILE beside it" in self.refused("https://tuf.example")

    @pytest.mark.parametrize("word", ["production", "trust.json"])
    def test_a_first_root_is_for_a_repository_only(self, word: str, tmp_path: Path) -> None:
        assert "expected beside --sigstore URL only" in self.refused(word, tmp_path / "root.json")

    @pytest.mark.parametrize(
        "content", [b"", b"{}", b"no JSON", b'{"signed": {"_type": "root"}, "signatures": []}']
    )
    def test_a_first_root_that_is_none_is_told(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "root.json"
        path.write_bytes(content)
        assert "expected the root.json of a TUF repository, found " in self.refused(
            "https://tuf.example", path
        )

    def test_a_first_root_that_was_changed_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "root.json"
        document = json.loads(TufFiles({}).first_root)
        document["signed"]["expires"] = "2099-01-01T00:00:00Z"
        path.write_text(json.dumps(document))
        assert "signed by 0/1 keys" in self.refused("https://tuf.example", path)

    def test_a_bare_trusted_root_cannot_sign(self, tmp_path: Path, forge: Forge) -> None:
        path = tmp_path / "root.json"
        path.write_text(forge.trusted_root)
        instance = open_instance(
            str(path), root_file=None, offline=False, deadline=Deadline(0), tell=lambda _: None
        )
        assert instance.trust_root
        assert instance.public_log is None
        with pytest.raises(Misused, match="give a client trust config, which has both"):
            instance.trust_config  # noqa: B018

    @pytest.mark.parametrize(
        ("hosts", "public_log"),
        [
            ({"fulcio": "fulcio.corp", "rekor": "rekor.corp"}, None),
            ({"fulcio": "fulcio.corp", "rekor": "log9.rekor.sigstore.dev"}, "log9.rekor.sigstore.dev"),
            ({"fulcio": "fulcio.sigstage.dev", "rekor": "rekor.corp"}, "fulcio.sigstage.dev"),
            ({"fulcio": "sigstore.dev.corp", "rekor": "notsigstore.dev"}, None),
        ],
    )
    def test_a_public_log_is_known_by_its_host_however_it_was_named(
        self, forge: Forge, hosts: dict[str, str], public_log: str | None
    ) -> None:
        config = json.loads(forge.trust_config)["signingConfig"]
        config["caUrls"][0]["url"] = f"https://{hosts['fulcio']}"
        config["rekorTlogUrls"][0]["url"] = f"https://{hosts['rekor']}:443/api"
        instance = Instance("it", forge.trusted_root.encode(), json.dumps(config).encode())
        assert instance.public_log == public_log


def test_what_sigstore_python_logs_does_not_reach_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Instance("an instance", b"{}", None)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own, which listen
    logging.getLogger("sigstore.models").warning("words for nobody")
    assert capsys.readouterr().err == ""
