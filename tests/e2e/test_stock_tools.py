"""What we write read by cosign, in-toto-verify and in-toto-golang, and what they write read by us."""

import json
import os
import shutil
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from in_toto.models.layout import Layout, Step
from in_toto.models.metadata import Envelope, Metablock
from securesystemslib.signer._crypto_signer import CryptoSigner
from securesystemslib.signer._key import SSlibKey
from tests.parts.attached import Shelf
from tests.parts.desk import console_script
from tests.parts.images import push_image, small_image
from tests.parts.pipeline import GITHUB, LAYOUT, Pipeline
from tests.parts.registries import RunningRegistry
from tests.parts.tools import tool

from intoto_action.deadline import Deadline
from intoto_action.formats.evidence import PREDICATE_TYPE
from intoto_action.formats.reference import Reference
from intoto_action.store.open import open_store
from intoto_action.store.registry import Registry

KINDS = ("ed25519", "ecdsa", "rsa")
REPOSITORY = "ghcr.io/octo/app"


def stock(name: str) -> Path:
    """A command of the reference implementation, installed beside the Python that runs this."""
    return Path(console_script()).parent / name


def pipeline_in(directory: Path, **kinds: str) -> Pipeline:
    directory.mkdir(exist_ok=True)
    path = os.pathsep.join((str(Path(console_script()).parent), os.environ["PATH"]))
    pipeline = Pipeline(directory, {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
    pipeline.keys(**{"owner": "ed25519", "builder": "ed25519", "scanner": "ed25519", **kinds})
    return pipeline


def record_all(pipeline: Pipeline, shelf: Shelf, name: str = REPOSITORY) -> Pipeline:
    """Every step of the layout for an image that is there already."""
    (pipeline.directory / "layout.yaml").write_text(LAYOUT.format(name=name))
    pipeline.do("layout", "sign", "--force", "--key", "owner.pem", "layout.yaml")
    write = ("--", "sh", "-c", "mkdir src; echo hello > src/app")
    pipeline.record("checkout", "builder", "--products", "src", *write)
    config = json.loads(shelf.content.document)["config"]["digest"]
    (pipeline.directory / "iid").write_text(config)
    built = ("--materials", "src", "--products", "image:app@iidfile:iid", "--", "true")
    pipeline.record("build", "builder", *built)
    image = f"oci:{name}@{shelf.digest}"
    pipeline.record(
        "push", "builder", "--materials", "image:app@iidfile:iid", "--products", image, "--", "true"
    )
    report = ("--products", "report.json", "--", "sh", "-c", "echo '{}' > report.json")
    pipeline.record("scan", "scanner", "--materials", image, *report)
    pipeline.image = shelf.word
    return pipeline


@pytest.fixture(scope="module", params=KINDS)
def evidence(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The evidence of an image, extracted to `evidence`; every key is of that kind."""
    directory = tmp_path_factory.mktemp("evidence")
    shelf = Shelf(directory / "images")
    kinds = dict.fromkeys(("owner", "builder", "scanner"), request.param)
    pipeline = record_all(pipeline_in(directory, **kinds), shelf)
    attached = pipeline.attach("--file", "report.json=report.json")
    assert attached.code == 0, attached
    pipeline.do("evidence", "extract", "--layout-key", "owner.pub", shelf.word, "evidence")
    return pipeline


@pytest.mark.needs("in-toto-golang")
class TestEvidenceReadByInToto:
    """Layouts with `subject` and `source`: stock verifiers run `intoto-action inspect source` of the PATH."""

    def verifiers(self, pipeline: Pipeline) -> list[list[str | Path]]:
        owner = pipeline.directory / "owner.pub"
        files = ["--layout", "root.layout", "--link-dir", "."]
        python: list[str | Path] = [stock("in-toto-verify"), *files, "--verification-keys", owner]
        return [python, [tool("in-toto-golang"), "verify", *files, "--layout-keys", owner]]

    def test_both_verifiers_pass_it_and_pass_it_again(self, evidence: Pipeline) -> None:
        """What the first run leaves in the directory does not disturb the second."""
        for verifier in (*self.verifiers(evidence), self.verifiers(evidence)[0]):
            evidence.command(*verifier, cwd="evidence")

    def test_both_verifiers_deny_it_when_a_link_is_altered(self, evidence: Pipeline) -> None:
        altered = shutil.copytree(evidence.directory / "evidence", evidence.directory / "altered")
        link = next(altered.glob("checkout.*.link"))
        document = json.loads(link.read_bytes())
        payload = json.loads(b64decode(document["payload"]))
        payload["command"] = ["another"]
        document["payload"] = b64encode(json.dumps(payload).encode()).decode()
        link.write_text(json.dumps(document))
        for verifier in self.verifiers(evidence):
            evidence.command(*verifier, cwd="altered", fails=True)

    def test_both_verifiers_deny_it_when_the_inspection_does(self, evidence: Pipeline) -> None:
        """A link of another commit, signed as it should be: only `source` sees it."""
        mixed = shutil.copytree(evidence.directory / "evidence", evidence.directory / "mixed")
        next(mixed.glob("scan.*")).unlink()
        image = f"oci:{REPOSITORY}@{Shelf(evidence.directory / 'images').digest}"
        elsewhere = Pipeline(
            evidence.directory, {**evidence.environ, **GITHUB, "GITHUB_SHA": "another"}, links="mixed"
        )
        elsewhere.command(
            *(
                console_script(),
                "record",
                "--step-name",
                "scan",
                "--key",
                "scanner.pem",
                "--link-dir",
                "mixed",
            ),
            *("--materials", image, "--products", "report.json", "--", "sh", "-c", "echo > report.json"),
        )
        for verifier in self.verifiers(evidence):
            said = evidence.command(*verifier, cwd="mixed", fails=True)
            assert "nspect" in said, said


class TestEvidenceReadByCosign:
    @pytest.mark.needs("cosign", "crane")
    @pytest.mark.parametrize("kind", KINDS)
    def test_cosign_verifies_and_downloads_it(
        self, kind: str, ghcr_like_registry: RunningRegistry, tmp_path: Path
    ) -> None:
        name = f"{ghcr_like_registry.address}/stock/{kind}"
        shelf = Shelf(tmp_path / "images", small_image(kind))
        repository = Reference(ghcr_like_registry.address, f"stock/{kind}")
        store = open_store(repository, deadline=Deadline(60), environ={"HOME": str(tmp_path)})
        assert isinstance(store, Registry)
        push_image(store, shelf.content, "1.0")
        pipeline = record_all(pipeline_in(tmp_path, builder=kind), shelf, name)
        pipeline.image = f"{name}@{shelf.digest}"
        attached = pipeline.attach("--push-with", "native")
        assert attached.code == 0, attached
        http = ("--allow-http-registry", pipeline.image)
        words = ("verify-attestation", "--insecure-ignore-tlog", "--type", PREDICATE_TYPE)
        pipeline.command(tool("cosign"), *words, "--key", "builder.pub", *http)
        pipeline.command(tool("cosign"), *words, "--key", "scanner.pub", *http, fails=True)
        downloaded = pipeline.command(tool("cosign"), "download", "attestation", *http)
        bundle = next(line for line in downloaded.splitlines() if line.startswith("{"))
        (tmp_path / "downloaded.json").write_text(bundle)
        ended = pipeline.verify(pipeline.image, "--bundle", "downloaded.json")
        assert ended.code == 0, ended


def key_of(pipeline: Pipeline, name: str) -> tuple[CryptoSigner, dict[str, Any]]:
    """The signer of NAME.pem, and its public part as a layout holds it."""
    public = SSlibKey.from_crypto(load_pem_public_key((pipeline.directory / f"{name}.pub").read_bytes()))
    private = load_pem_private_key((pipeline.directory / f"{name}.pem").read_bytes(), None)
    return CryptoSigner(private, public), {"keyid": public.keyid, **public.to_dict()}


def stock_layout(pipeline: Pipeline, dsse: bool) -> None:
    """`root.layout` as a program that uses in-toto's own models writes it."""
    owner, _ = key_of(pipeline, "owner")
    _, builder = key_of(pipeline, "builder")
    _, scanner = key_of(pipeline, "scanner")
    source = ["MATCH", "app", "WITH", "PRODUCTS", "FROM", "checkout"]
    closed = ["DISALLOW", "*"]
    image = f"oci:{REPOSITORY}"
    steps = [
        Step(
            name="checkout",
            pubkeys=[builder["keyid"]],
            expected_products=[["REQUIRE", "app"], ["CREATE", "app"], closed],
            expected_materials=[closed],
        ),
        Step(
            name="review",
            pubkeys=[scanner["keyid"]],
            expected_materials=[["REQUIRE", "app"], source, closed],
            expected_products=[source, closed],
        ),
        Step(
            name="push",
            pubkeys=[builder["keyid"]],
            expected_materials=[["REQUIRE", "app"], source, closed],
            expected_products=[["REQUIRE", image], ["CREATE", image], closed],
        ),
    ]
    layout = Layout(steps=steps, keys={builder["keyid"]: builder, scanner["keyid"]: scanner})
    layout.set_relative_expiration(days=1)
    metadata = Envelope.from_signable(layout) if dsse else Metablock(signed=layout)
    metadata.create_signature(owner)
    metadata.dump(str(pipeline.directory / "root.layout"))


EACH_KIND_AND_WRAPPER = pytest.mark.parametrize(
    ("kind", "dsse"),
    [
        pytest.param("ed25519", True, id="ed25519-dsse"),
        pytest.param("ecdsa", False, id="ecdsa-metablock"),
        pytest.param("rsa", True, id="rsa-dsse"),
        pytest.param("rsa", False, id="rsa-metablock"),
    ],
)


@EACH_KIND_AND_WRAPPER
def test_links_and_layouts_of_stock_tools_pass(dsse: bool, kind: str, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "images")
    pipeline = pipeline_in(tmp_path, owner=kind, builder=kind, scanner=kind)
    stock_layout(pipeline, dsse)
    wrapper = ("--use-dsse",) if dsse else ()
    given = ("--metadata-directory", "links")
    (tmp_path / "links").mkdir()
    pipeline.command(
        *(stock("in-toto-run"), "--step-name", "checkout", "--signing-key", "builder.pem"),
        *("--products", "app", *given, *wrapper, "--", "sh", "-c", "echo hello > app"),
    )
    pipeline.command(
        *(stock("in-toto-run"), "--step-name", "review", "--signing-key", "scanner.pem", "--no-command"),
        *("--materials", "app", "--products", "app", *given, *wrapper),
    )
    image = f"oci:{REPOSITORY}@{shelf.digest}"
    pipeline.command(
        *(console_script(), "record", "--step-name", "push", "--key", "builder.pem", "--link-dir", "links"),
        *("--materials", "app", "--products", image, "--", "true"),
    )
    alone = ("--link-dir", "links", "--layout", "root.layout", "--layout-key", "owner.pub")
    pipeline.do("verify", *alone)
    pipeline.image = shelf.word
    attached = pipeline.attach()
    assert attached.code == 0, attached
    pipeline.do("verify", shelf.word, "--layout-key", "owner.pub")
    pipeline.do("evidence", "extract", shelf.word, "evidence", "--layout-key", "owner.pub")
    verify = (stock("in-toto-verify"), "--layout", "root.layout", "--verification-keys", "../owner.pub")
    pipeline.command(*verify, "--link-dir", ".", cwd="evidence")
    (tmp_path / "app").write_text("another")
    pipeline.command(
        *(stock("in-toto-run"), "--step-name", "review", "--signing-key", "scanner.pem", "--no-command"),
        *("--materials", "app", "--products", "app", *given, *wrapper),
    )
    denied = pipeline.run("verify", *alone, "--format", "json")
    assert json.loads(denied.out)["reason"] == "rule-violation"


@pytest.mark.parametrize("dsse", [True, False], ids=["dsse", "metablock"])
def test_links_of_a_step_that_was_started_and_stopped_by_in_toto_record_pass(
    dsse: bool, tmp_path: Path
) -> None:
    pipeline = pipeline_in(tmp_path)
    stock_layout(pipeline, dsse)
    wrapper = ("--use-dsse",) if dsse else ()
    checkout = ("--step-name", "checkout", "--signing-key", "builder.pem")
    pipeline.command(stock("in-toto-record"), "start", *checkout, *wrapper)
    (tmp_path / "app").write_text("hello")
    pipeline.command(stock("in-toto-record"), "stop", *checkout, "--products", "app", *wrapper)
    (tmp_path / "links").mkdir()
    next(tmp_path.glob("checkout.*.link")).rename(
        tmp_path / "links" / next(tmp_path.glob("checkout.*.link")).name
    )
    push = ("--products", f"oci:{REPOSITORY}@sha256:{'1a' * 32}", "--", "true")
    pipeline.command(
        *(console_script(), "record", "--step-name", "review", "--key", "scanner.pem", "--link-dir", "links"),
        *("--materials", "app", "--products", "app", "--", "true"),
    )
    pipeline.command(
        *(console_script(), "record", "--step-name", "push", "--key", "builder.pem", "--link-dir", "links"),
        *("--materials", "app", *push),
    )
    pipeline.do("verify", "--link-dir", "links", "--layout", "root.layout", "--layout-key", "owner.pub")


@pytest.mark.needs("in-toto-golang")
@EACH_KIND_AND_WRAPPER
def test_links_of_in_toto_golang_pass(kind: str, dsse: bool, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "images")
    pipeline = pipeline_in(tmp_path, builder=kind, scanner=kind)
    stock_layout(pipeline, dsse)
    (tmp_path / "links").mkdir()
    wrapper = ("--use-dsse",) if dsse else ()
    go = (tool("in-toto-golang"), "run", "--metadata-directory", "links", *wrapper)
    write = ("--", "sh", "-c", "echo hello > app")
    pipeline.command(*go, "--name", "checkout", "--key", "builder.pem", "--products", "app", *write)
    pipeline.command(
        *(*go, "--name", "review", "--key", "scanner.pem"),
        *("--materials", "app", "--products", "app", "--", "true"),
    )
    pipeline.command(
        *(console_script(), "record", "--step-name", "push", "--key", "builder.pem", "--link-dir", "links"),
        *("--materials", "app", "--products", f"oci:{REPOSITORY}@{shelf.digest}", "--", "true"),
    )
    pipeline.image = shelf.word
    attached = pipeline.attach()
    assert attached.code == 0, attached
    pipeline.do("verify", shelf.word, "--layout-key", "owner.pub")
    pipeline.do("evidence", "extract", shelf.word, "evidence", "--layout-key", "owner.pub")
    # Go's keyids are not Python's: the links as they were recorded pass neither verifier under this layout.
    files = ("--layout", "root.layout", "--link-dir", ".")
    python = (stock("in-toto-verify"), *files, "--verification-keys", "../owner.pub")
    pipeline.command(*python, cwd="evidence")
