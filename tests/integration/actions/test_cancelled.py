"""A job that is cancelled: the step's process gets SIGINT, a moment later SIGTERM, and is killed at last.

Whatever the moment, no link is signed, nothing half-made lies about, and nothing of the step runs on.
"""

import signal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.parts.composite import Job, within_seconds
from tests.parts.desk import run as run_product
from tests.parts.github_job import GitHubJob
from tests.parts.hostile_registry import REPOSITORY, HostileRegistry, Reply, hang
from tests.parts.images import small_image
from tests.parts.key_material import pem, private_key
from tests.parts.loopback import HANG, Asked
from tests.parts.sigstore import SIGSTORE, PrivateSigstore
from tests.parts.tools import tool

INTERRUPTED = 130


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.fixture
def key() -> str:
    return private_key("ed25519").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_while_it_is_installed(job: Job) -> None:
    tools = job.folder / "tools"
    tools.mkdir()
    (tools / "uv").write_text('#!/bin/sh\ntouch "$HOME/ready"\nexec sleep 300\n')
    (tools / "uv").chmod(0o755)
    with job.step("record", "Install intoto-action", PATH=f"{tools}:/usr/bin:/bin") as step:
        assert within_seconds((job.folder / "home" / "ready").exists)
        assert step.cancel() is signal.SIGINT
        code, output = step.ended()
    assert code == INTERRUPTED, output
    assert not list(job.temporary.rglob("complete"))


@pytest.mark.parametrize(
    ("script", "last"),
    [
        ("trap 'exit 0' INT TERM; touch ready; sleep 300 & wait", signal.SIGINT),
        ("touch ready; (trap '' INT; exec sleep 300)", signal.SIGTERM),
        ("(trap '' INT TERM; touch ready; setsid sleep 300 & sleep 300)", signal.SIGTERM),
        ("trap '' INT TERM; touch ready; while :; do sleep 300; done", signal.SIGKILL),
    ],
    ids=["says that all is well", "ignores SIGINT", "leaves somebody who ignores both", "ignores both"],
)
def test_while_the_command_runs(job: Job, script: str, last: signal.Signals) -> None:
    given = {"INTOTO_ACTION_RECORD_STEP_NAME": "build", "INTOTO_ACTION_RECORD_PHASE": "run"}
    with job.step("record", "Record", INTOTO_ACTION_RECORD_COMMAND=script, **given) as step:
        assert within_seconds((job.workspace / "ready").exists)
        assert step.cancel() is last
        code, output = step.ended()
    assert code != 0, output
    assert job.links == []
    assert "sha256:" not in job.outputs
    if last is not signal.SIGKILL:
        assert job.left_over == []


@pytest.mark.needs(*SIGSTORE)
def test_while_a_link_is_signed(job: Job, sigstore: PrivateSigstore, tmp_path: Path) -> None:
    recorded = ("record", "--unsigned", "--step-name", "build", "--link-dir", "links", "--", "true")
    digest = run_product(*recorded, cwd=job.workspace).out.split()[-1]
    given = {
        "INTOTO_ACTION_LINK_PATH": "links/build.link-unsigned",
        "INTOTO_ACTION_SIGN_STEP_NAME": "build",
        "INTOTO_ACTION_SIGN_EXPECT": digest,
        "INTOTO_ACTION_SIGN_KEYLESS": "true",
        **sigstore.environ(GitHubJob()),
    }
    with sigstore.behind(tmp_path, rekor=[HANG]) as behind:
        given["INTOTO_ACTION_SIGN_SIGSTORE"] = str(behind.trust_config)
        with job.step("record", "Sign", **given) as step:
            assert within_seconds(lambda: behind.rekor.asked)
            assert step.cancel() is signal.SIGINT
            code, output = step.ended()
    assert code == INTERRUPTED, output
    assert [path.name for path in (job.workspace / "links").iterdir()] == ["build.link-unsigned"]
    assert "signed" not in job.outputs or "\nfalse\n" in job.outputs
    assert job.left_over == []


@pytest.mark.needs("cosign")
@pytest.mark.parametrize("pusher", ["cosign", "native"])
def test_while_evidence_is_attached(job: Job, key: str, pusher: str) -> None:
    image = small_image()
    tools = job.folder / "tools"
    tools.mkdir()
    if pusher == "cosign":
        (tools / "cosign").symlink_to(tool("cosign"))
    with HostileRegistry() as registry:
        registry.put(image, "build")
        name = f"{registry.address}/{REPOSITORY}"
        _recorded(job, name, image.digest, key)
        given = {
            "INTOTO_ACTION_ATTACH_IMAGE": f"{name}@{image.digest}",
            "INTOTO_ACTION_ATTACH_LAYOUT": "root.layout",
            "INTOTO_ACTION_ATTACH_LAYOUT_KEY": "builder.pub",
            "INTOTO_ACTION_ATTACH_LINK_DIR": "links",
            "INTOTO_ACTION_ATTACH_TAG": "1.0",
            "INTOTO_ACTION_SIGNING_KEY": key,
            "INTOTO_ACTION_COSIGN": str(tools / "cosign") if pusher == "cosign" else "",
        }
        before = set(registry.documents)
        registry.script = lambda asked: Reply(behave=hang(registry)) if _is_kept_waiting(asked) else None
        with job.step("attach", "Attach", **given) as step:
            assert within_seconds(lambda: any(map(_is_kept_waiting, registry.asked)))
            assert any("cosign" in each.headers["user-agent"] for each in registry.asked) == (
                pusher == "cosign"
            )
            assert step.cancel() is signal.SIGINT
            code, output = step.ended()
        assert code == INTERRUPTED, output
        named = {path for path in set(registry.documents) - before if "/manifests/" in path}
        assert named == set()
        assert not any("manifests/1.0" in path for path in registry.paths())
    assert "referrer" not in job.outputs
    assert job.left_over == []


@pytest.mark.parametrize("rehearse", ["", "true"])
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_while_an_image_is_verified(job: Job, rehearse: str, first: signal.Signals) -> None:
    """A shell stays beside a rehearsal, to make 0 of its 4; what cancels the shell must reach what it started."""
    (job.workspace / "owner.pub").write_text(pem(private_key("p256").public_key()))
    with HostileRegistry() as registry:
        registry.script = lambda asked: Reply(behave=hang(registry))
        given = {
            "INTOTO_ACTION_VERIFY_IMAGE": f"{registry.address}/{REPOSITORY}:1.0",
            "INTOTO_ACTION_VERIFY_LAYOUT_KEY": "owner.pub",
        }
        if rehearse:
            # A rehearsal asks nobody anything that could hang: in its place is one who only waits.
            waits = job.folder / "waits"
            waits.write_text('#!/bin/sh\ntouch "$HOME/ready"\nexec sleep 300\n')
            waits.chmod(0o755)
            given |= {"INTOTO_ACTION_VERIFY_REHEARSE": "true", "INTOTO_ACTION_PYTHON": str(waits)}
        ready = job.folder / "home" / "ready"
        with job.step("verify", "Verify", **given) as step:
            assert within_seconds(lambda: registry.asked or ready.exists())
            assert step.cancel(first) is first
            code, output = step.ended()
    assert code == (128 + signal.SIGTERM if rehearse else INTERRUPTED), output
    assert "verdict" not in job.outputs
    assert job.left_over == []


def _is_kept_waiting(asked: Asked) -> bool:
    """The last that we send, and the first that cosign does."""
    ours = asked.method == "PUT" and asked.path.startswith(f"/v2/{REPOSITORY}/manifests/")
    return ours or "cosign" in asked.headers.get("user-agent", "")


def _recorded(job: Job, name: str, digest: str, key: str) -> None:
    """A layout and the one link that it asks for, of this run."""
    desk = job.workspace
    (desk / "builder.pem").write_text(key)
    (desk / "builder.pem").chmod(0o600)
    (desk / "builder.pub").write_text(pem(private_key("ed25519").public_key()))
    (desk / "digest").write_text(digest)
    (desk / "layout.yaml").write_text(
        "expires: 1 month\nfunctionaries: {builder: {key: builder.pub}}\n"
        f"subject: {{step: push, artifact: 'oci:{name}'}}\nsteps: [{{name: push, functionaries: [builder]}}]\n"
    )
    signed = ("--key", "builder.pem")
    environ = GitHubJob().environ
    assert run_product("layout", "sign", *signed, "layout.yaml", cwd=desk).code == 0
    words = ("record", "--step-name", "push", "--phase", "after", "--link-dir", "links", *signed)
    ended = run_product(*words, "--products", f"oci:{name}@digestfile:digest", cwd=desk, environ=environ)
    assert ended.code == 0, ended
