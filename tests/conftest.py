"""What every test run shares: the marker `needs`, and hypothesis without a clock."""

import os
import signal
from collections import defaultdict
from collections.abc import Iterator, Mapping

import hypothesis
import pytest
from tests.parts.containers import container_storage
from tests.parts.tools import left_out_is_failure, reasons

pytest_plugins = [
    "tests.parts.registries",
    "tests.parts.runner",
    "tests.parts.sigstore",
    "tests.parts.container_runner",  # imports the others, and pytest wants to be the first who does
    "tests.parts.example",
]

# The machines that run this share their cores: how long one example took says nothing about the code. Examples differ
# from run to run, so what 50 of them do not find today, others do tomorrow; a property that needs more says so.
# `make unit` asks for fewer.
hypothesis.settings.register_profile(
    "house",
    deadline=None,
    max_examples=int(os.environ.get("INTOTO_TEST_EXAMPLES", "50")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def container_environ() -> Iterator[Mapping[str, str]]:
    """The environment to run podman, buildah, skopeo and docker with: a storage of this run, empty at first."""
    with container_storage() as environ:
        yield environ


_LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    _listen_to_signals()
    config.addinivalue_line(
        "markers", "needs(*names): the pinned tools and Debian commands that the test runs"
    )
    config.stash[_LEFT_OUT] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose parts this machine cannot have, or let them fail (`pytest_runtest_setup`)."""
    if left_out_is_failure():
        return
    left_out: dict[str, list[str]] = defaultdict(list)
    for item in items:
        for reason in _reasons(item):
            left_out[reason].append(item.nodeid)
    gone = {nodeid for nodeids in left_out.values() for nodeid in nodeids}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in gone])
    items[:] = [item for item in items if item.nodeid not in gone]
    config.stash[_LEFT_OUT] = dict(left_out)


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = _reasons(item)
    if missing:
        pytest.fail("\n".join(missing), pytrace=False)


def _reasons(item: pytest.Item) -> tuple[str, ...]:
    return reasons(name for marker in item.iter_markers("needs") for name in marker.args)


def _listen_to_signals() -> None:
    """Undo what `nohup` and a shell's `&` hand down: a signal ignored by us is ignored by all that tests start."""
    for each, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGQUIT, signal.SIG_DFL),
    ):
        if signal.getsignal(each) is signal.SIG_IGN:
            signal.signal(each, handler)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands what it left out to the process that prints the summary."""
    left_out = session.config.stash[_LEFT_OUT]
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = left_out
    elif left_out and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK  # there were tests, and the summary says why none ran


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: pytest.Item) -> None:
    node.config.stash[_LEFT_OUT].update(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash[_LEFT_OUT]
    if not left_out:
        return
    terminalreporter.section("left out")
    for reason, nodeids in sorted(left_out.items()):
        terminalreporter.line(f"{len(nodeids)} tests left out, because {reason}")
        for nodeid in nodeids:
            terminalreporter.line(f"  {nodeid}")
