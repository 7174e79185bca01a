"""The command line as a process of its own that is forked, for tests whose subject is what a verb does.

Most of the time of a call goes into Python's start and imports. Here they are done once: a process imports all of the
installed project and forks for each call. The child has the words, the directory, the environment and the streams of
the call, runs what the console script runs, and ends as Python ends.

What belongs to a start cannot be seen this way: Python's flags and variables, the locale, /proc/self/environ. A call
whose environment says something about that is not forked (`is_about_a_start`); tests of it, and of signals, start one.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

_ABOUT_A_START = re.compile(r"(PYTHON|LC_|LANG|LD_|OPENSSL_|TZ)\w*")
_HEAD = 8
_LATE = ("in_toto.verifylib", "rich.console", "sigstore.sign", "sigstore.verify", "tuf.ngclient")
"""What verbs import when they come to it."""


class TookTooLong(RuntimeError):
    """A call that was ended because it did not end."""


def is_about_a_start(environ: Mapping[str, str]) -> bool:
    """Whether a process that starts with this environment would start differently from this one."""
    names = {name for name in {*environ, *os.environ} if _ABOUT_A_START.fullmatch(name)}
    return any(environ.get(name) != os.environ.get(name) for name in names)


def run_forked(
    argv: Sequence[str], cwd: Path, environ: Mapping[str, str], seconds: float
) -> tuple[int, str, str]:
    """Call the console script `argv[0]` with words; exit code and what it wrote.

    Raises: TookTooLong.
    """
    call = json.dumps([list(argv), str(cwd), dict(environ)]).encode()
    (out, its_out), (err, its_err) = os.pipe(), os.pipe()
    report, its_report = socket.socketpair()
    with report, ThreadPoolExecutor(2) as readers:
        _server().call(call, (its_out, its_err, its_report.detach()))
        said, told = readers.submit(_read, out), readers.submit(_read, err)
        report.settimeout(seconds)
        pid = _number(report)
        try:
            code = _number(report)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise TookTooLong(f"{list(argv)} did not end in {seconds:.0f} s") from None
        return code, said.result(), told.result()


def _read(end: int) -> str:
    with open(end, encoding=sys.getfilesystemencoding(), newline=None) as stream:
        return stream.read()


def _number(report: socket.socket) -> int:
    said = report.recv(_HEAD, socket.MSG_WAITALL)
    assert len(said) == _HEAD, "the process that forks has ended"
    return int.from_bytes(said, signed=True)


class _Server:
    """The process that forks, and the end of the socket by which it is told to."""

    def __init__(self) -> None:
        self._socket, its_socket = socket.socketpair()
        self._lock = threading.Lock()
        # -P: the directory of this file is no place to import from.
        argv = [sys.executable, "-P", __file__, str(its_socket.fileno())]
        with its_socket:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[its_socket.fileno()]
            )

    def call(self, call: bytes, streams: Sequence[int]) -> None:
        """Have it fork for a call. The streams are its own then."""
        with self._lock:
            socket.send_fds(self._socket, [len(call).to_bytes(_HEAD)], list(streams))
            self._socket.sendall(call)
        for each in streams:
            os.close(each)

    def end(self) -> None:
        self._socket.close()
        self._process.wait()


@cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.end)
    return server


def _import_everything() -> None:
    import pkgutil
    from importlib import import_module

    import intoto_action

    for module in pkgutil.walk_packages(intoto_action.__path__, "intoto_action."):
        if not module.name.endswith(("__main__", "system.windows")):
            import_module(module.name)
    for name in _LATE:
        import_module(name)


def _serve(requests: socket.socket) -> None:
    """Fork for each call; returns in the children alone, which have become the process that was called."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        head, streams, _, _ = socket.recv_fds(requests, _HEAD, 3)
        if not head:
            os._exit(0)
        call = requests.recv(int.from_bytes(head), socket.MSG_WAITALL)
        if os.fork() == 0:
            break
        for each in streams:
            os.close(each)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out, err, report = streams
    pid = os.fork()
    if pid != 0:
        os.write(report, pid.to_bytes(_HEAD, signed=True))
        for each in (out, err):
            os.close(each)
        _, status = os.waitpid(pid, 0)
        os.write(report, os.waitstatus_to_exitcode(status).to_bytes(_HEAD, signed=True))
        os._exit(0)
    _become(json.loads(call), out, err)


def _become(call: tuple[list[str], str, dict[str, str]], out: int, err: int) -> None:
    import random

    sys.argv, directory, environ = call
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(3, 1024)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    random.seed()


if __name__ == "__main__":
    import gc

    _import_everything()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))

    from intoto_action.cli.main import main

    sys.exit(main())
