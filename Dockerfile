# The image of intoto-action, of three things that are pinned: a Python, the packages of requirements/runtime.txt with
# their hashes, and the cosign that Sigstore publishes. docs/container.md says how to use it and how to build it.
#
#     docker build --target image .    for GitLab CI, Tekton, Jenkins, Kubernetes: every verb, and not root
#     docker build .                   for the container action of GitHub, action.yml: the same files as root
#
# No `# syntax=` line: it would have a frontend fetched by a name that can be moved.
ARG BASE=docker.io/library/python:3.13.15-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285
ARG COSIGN=ghcr.io/sigstore/cosign/cosign:v3.1.2@sha256:d91bc4e7e95e8d2f549c747a72dc174f90579e410a1695f57f686674f84ce849

FROM ${COSIGN} AS cosign

FROM ${BASE} AS packages
COPY requirements/runtime.txt /src/
# pip is in an environment of its own, which stays behind. A company's certificates, and its pip.conf with an index and
# the password for it, come as secrets, which no layer keeps.
RUN --mount=type=secret,id=ca-bundle --mount=type=secret,id=pip-conf \
    set -eu; \
    if [ -e /run/secrets/ca-bundle ]; then export PIP_CERT=/run/secrets/ca-bundle; fi; \
    if [ -e /run/secrets/pip-conf ]; then export PIP_CONFIG_FILE=/run/secrets/pip-conf; fi; \
    python3 -m venv /pip; \
    python3 -m venv --without-pip /opt/intoto-action; \
    /pip/bin/python -m pip --python /opt/intoto-action/bin/python install --no-cache-dir --no-compile \
        --disable-pip-version-check --require-hashes --only-binary :all: --requirement /src/runtime.txt
COPY LICENSE /opt/intoto-action/
COPY src/intoto_action /src/intoto_action
# Compiled here, since nobody can write there later. A compiled file that holds no time of its source is the same in
# every build, and one that is not checked starts fastest; nothing changes a source in an image.
RUN set -eu; \
    cd /opt/intoto-action; \
    cp -R /src/intoto_action lib/python3*/site-packages/; \
    bin/python -I -m compileall -q --invalidation-mode unchecked-hash lib; \
    find bin -type f -delete; \
    printf '#!%s -IXutf8\nfrom intoto_action.cli.main import main\n\nmain()\n' "$PWD/bin/python" >bin/intoto-action; \
    chmod 0755 bin/intoto-action; \
    chmod -R u=rwX,go=rX .

FROM ${BASE} AS image
# Nothing here is installed later, and nobody becomes somebody else.
RUN set -eu; \
    rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip /usr/local/lib/python3*/site-packages/pip*; \
    find / -xdev -type f -perm /6000 -exec chmod ug-s {} +; \
    ln -s /opt/intoto-action/bin/intoto-action /usr/local/bin/
COPY --from=cosign /ko-app/cosign /usr/local/bin/cosign
COPY --from=packages /opt/intoto-action /opt/intoto-action
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="intoto-action" \
      org.opencontainers.image.description="A chain of custody for container images: record, attach and verify in-toto links and layouts." \
      org.opencontainers.image.source="https://github.com/org/intoto-action" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Without it engines take the directory that one works in, where somebody else's configuration may lie.
ENV HOME=/home/intoto
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["/opt/intoto-action/bin/python", "-I", "-X", "utf8", "-m", "intoto_action"]
CMD ["--help"]

# GitHub's runner gives a container action files and a workspace that only root, or the runner's own user, can write.
# Source: GitHub documentation, "Dockerfile support for GitHub Actions", USER.
FROM image AS action
USER 0:0
