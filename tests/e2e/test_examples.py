"""Every example of examples/, run by act as it is; tests/parts/example.py says what is replaced."""

import re
from pathlib import Path

import pytest
from tests.parts.buildkit import BUILDKIT, buildkit
from tests.parts.example import EXAMPLES, NEEDS, ExampleRepository
from tests.parts.github_job import GitHubJob
from tests.parts.gitlab import GitlabPipeline
from tests.parts.sigstore import SIGSTORE, PrivateSigstore

pytestmark = pytest.mark.needs(*NEEDS)
DIGEST = "@sha256:[0-9a-f]{64}"


def test_what_one_job_builds_is_deployed_and_named_in_manifests(
    example_repository: ExampleRepository,
) -> None:
    shop = example_repository
    shop.sign("one-job")
    shop.runner.installs = True
    ran = shop.run("one-job")
    assert ran.succeeded, ran.log
    assert ran.printed.count("intoto-action is installed for this job") == 1
    shop.runner.installs = False
    assert shop.tags() == ["latest", "new"]
    verified = shop.verify(f"{shop.image}:latest")
    assert verified.code == 0, verified
    pinned = re.search(re.escape(shop.image) + DIGEST, verified.out)
    assert pinned and ran.outputs("push")["image"] == pinned[0]
    for words in ("**Signed**: step <code>checkout</code>", "### Attached", "### PASS", "```mermaid"):
        assert words in ran.summary

    deployed = shop.run("deploy-gate", GitHubJob(event="workflow_dispatch", workflow="deploy.yml"))
    assert deployed.succeeded, deployed.log
    called = (shop.runner.kept / "kubectl").read_text().splitlines()
    first_two, then = sorted(called[:2]), called[2:]  # two at once, in a pipe
    assert first_two == [
        "apply --filename -",
        f"set image --local --filename k8s/app.yaml app={pinned[0]} --output yaml",
    ]
    assert then == [
        f"set image deployment/app app={pinned[0]}",
        "rollout status deployment/app --timeout 5m",
    ]

    shop.manifests(f"{shop.image}:latest")
    checked = shop.run("gitops", GitHubJob.pull_request(workflow="images.yml"), fork=True)
    assert checked.succeeded, checked.log
    shop.manifests(f"{shop.image}:new", f"{shop.image}-of-somebody:1")
    (shop.runner.workspace / "k8s/1.yaml").rename(shop.runner.workspace / "k8s/1.yml")
    denied = shop.run("gitops", GitHubJob.pull_request(workflow="images.yml"), fork=True)
    assert not denied.succeeded
    assert any("octo/app-of-somebody" in each for each in denied.annotations("error")), denied.log

    harbor = shop.run(
        "registry-logins",
        GitHubJob(event="workflow_dispatch", workflow="registries.yml"),
        only=("--job", "harbor"),
    )
    assert harbor.succeeded, harbor.log

    shop.push_base("octo/app", tag="latest")
    moved = shop.run("deploy-gate", GitHubJob(event="workflow_dispatch", workflow="deploy.yml"))
    assert not moved.succeeded
    assert (shop.runner.kept / "kubectl").read_text().splitlines() == called


def test_a_file_that_an_action_changes_between_two_steps_is_denied_at_that_step(
    example_repository: ExampleRepository,
) -> None:
    shop = example_repository
    shop.sign("one-job")
    by = "docker/login-action"
    hidden = 'echo INTOTO_ACTION_RECORD_EXCLUDE=Dockerfile >>"$GITHUB_ENV"'
    ran = shop.run("one-job", tamper=f"echo 'LABEL evil=1' >>Dockerfile; {hidden}", by=by)
    assert not ran.succeeded
    (error,) = ran.annotations("error")
    assert 'step "build"' in error and "found 1 that no rule before accounts for: Dockerfile" in error
    layout = (EXAMPLES / "one-job/layout.yaml").read_text().splitlines()
    (line,) = (number for number, text in enumerate(layout, 1) if "MATCH Dockerfile WITH" in text)
    assert ran.annotated("error") == [("in-toto/layout.yaml", line)]
    assert "class s1 deny" in ran.summary
    assert "### Not attached" in ran.summary
    assert shop.tags() == ["new"]
    denied = shop.verify(f"{shop.image}:new")
    assert denied.code == 1, denied


def test_a_pull_request_of_a_fork_is_rehearsed_without_a_secret(
    example_repository: ExampleRepository,
) -> None:
    shop = example_repository
    shop.sign("pull-request")
    job = GitHubJob.pull_request(workflow="pull-request.yml")
    ran = shop.run("pull-request", job, fork=True)
    assert ran.succeeded, ran.log
    assert "rehearsed" in ran.log and "### PASS" not in ran.summary
    denied = shop.run(
        "pull-request",
        job,
        fork=True,
        tamper="echo x >added",
        by="anchore/scan-action/download-grype",
    )
    assert not denied.succeeded
    assert 'step "build"' in denied.annotations("error")[0], denied.log


def test_one_job_attaches_what_the_legs_of_a_matrix_recorded(example_repository: ExampleRepository) -> None:
    shop = example_repository
    shop.sign("matrix")
    ran = shop.run("matrix")
    assert ran.succeeded, ran.log
    steps = ("checkout", "push", "test-version", "test-help", "scan")
    names = {each.name.rpartition("-")[0] for each in shop.runner.artifacts.iterdir()}
    assert names == {f"in-toto-link-{each}" for each in steps}
    assert shop.verify(f"{shop.image}:latest").code == 0


def test_buildah_makes_an_image_for_two_platforms_that_is_verified(
    example_repository: ExampleRepository,
) -> None:
    shop = example_repository
    shop.sign("buildah")
    ran = shop.run("buildah")
    assert ran.succeeded, ran.log
    platforms = [each["platform"]["architecture"] for each in shop.manifest("latest")["manifests"]]
    assert sorted(platforms) == ["amd64", "arm64"]
    assert shop.verify(f"{shop.image}:latest").code == 0


def test_two_images_of_a_repository_have_evidence_of_their_own(example_repository: ExampleRepository) -> None:
    shop = example_repository
    for part in ("api", "web"):
        shop.sign("monorepo", f"{part}.yaml")
        shop.runner.put(
            {
                f"{part}/Dockerfile": f'FROM scratch\nCOPY shared/app /{part}\nENTRYPOINT ["/{part}"]\n',
                f"{part}/.dockerignore": "*\n!shared\n",
            }
        )
    (shop.runner.workspace / "shared").mkdir()
    (shop.runner.workspace / "app").rename(shop.runner.workspace / "shared/app")
    (shop.runner.workspace / "Dockerfile").unlink()
    ran = shop.run("monorepo")
    assert ran.succeeded, ran.log
    for part in ("api", "web"):
        assert shop.verify(f"{shop.registry.address}/octo/{part}:latest").code == 0
    (shop.desk / "web.layout").write_bytes((shop.runner.workspace / "in-toto/web.layout").read_bytes())
    swapped = shop.verify(f"{shop.registry.address}/octo/api:latest", "--layout", "web.layout")
    assert swapped.code == 1, swapped


@pytest.mark.needs(*SIGSTORE)
def test_a_release_without_a_key_has_its_tags_provenance_and_report(
    example_repository: ExampleRepository, sigstore: PrivateSigstore
) -> None:
    shop = example_repository
    shop.use(sigstore)
    shop.sign("release")
    ran = shop.run("release", GitHubJob.tag("v1.2.0", workflow="release.yml", environment="release"))
    assert ran.succeeded, ran.log
    assert shop.tags() == ["candidate", "latest", "v1.2.0"]
    source = ("--source-repository", "https://github.com/octo/app", "--source-ref", "refs/tags/v1.2.0")
    verified = shop.verify(f"{shop.image}:v1.2.0", *source)
    assert verified.code == 0, verified


@pytest.mark.needs(*SIGSTORE, *BUILDKIT)
def test_what_build_push_action_builds_without_a_key_is_recorded_with_the_image_it_is_built_on(
    example_repository: ExampleRepository, sigstore: PrivateSigstore, tmp_path: Path
) -> None:
    shop = example_repository
    shop.use(sigstore)
    shop.sign("keyless")
    base = shop.push_base("octo/base")
    shop.runner.put({"Dockerfile": f'FROM {base}\nCOPY app /app\nENTRYPOINT ["/app"]\n'})
    with buildkit(tmp_path / "buildkitd.log") as address:
        shop.runner.variables["BUILDKITD"] = address
        ran = shop.run("keyless")
    assert ran.succeeded, ran.log
    assert shop.tags() == ["latest"]
    source = ("--source-repository", "https://github.com/octo/app", "--source-ref", "refs/heads/main")
    verified = shop.verify(f"{shop.image}:latest", *source)
    assert verified.code == 0, verified
    materials = shop.link("build", f"{shop.image}:latest")["materials"]
    name, _, digest = base.partition("@")
    assert materials[f"oci:{name}"] == {"sha256": digest.removeprefix("sha256:")}
    assert {"Dockerfile", "app", "in-toto/root.layout"} <= set(materials)


@pytest.mark.needs("kaniko")
def test_what_kaniko_builds_is_verified(example_repository: ExampleRepository) -> None:
    shop = example_repository
    shop.sign("kaniko")
    shop.make_kaniko_image()
    ran = shop.run("kaniko")
    assert ran.succeeded, ran.log
    assert shop.tags() == ["build", "latest"]
    assert shop.verify(f"{shop.image}:latest").code == 0


def test_a_pipeline_of_gitlab_deploys_what_it_has_attached(
    example_repository: ExampleRepository, tmp_path: Path
) -> None:
    shop = example_repository
    shop.sign("gitlab")
    pipeline = GitlabPipeline(shop, tmp_path / "gitlab")
    pipeline.run()
    (called,) = (shop.runner.kept / "kubectl").read_text().splitlines()
    assert re.fullmatch(rf"set image deployment/app app={re.escape(shop.image)}{DIGEST}", called)
    assert shop.verify(f"{shop.image}:latest").code == 0
