"""Processes of `w2v` that are forked from one that has imported everything, so that they start in
milliseconds. What Python does before, and what an import says or takes, needs a real one."""

from __future__ import annotations

import atexit
import ctypes
import functools
import gc
import importlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parents[1]
# what the verbs import when they need it, the forks have already
IMPORTED = ("corpus.read", "run", "words.autograd", "words.fused", "lm.engine", "cli.app")
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl


class Fork:
    """A process of `w2v`, with what the tests need of a Popen. Its streams are the descriptors that
    are given, else pipes of text; `patches` has values of module-level names; `code` is a Python
    program to run instead. The environment's OMP_NUM_THREADS is 1, whatever is asked."""

    def __init__(
        self,
        *arguments: str,
        folder: Path,
        changes: Mapping[str, str] | None = None,
        patches: Mapping[str, object] | None = None,
        code: str = "",
        streams: tuple[int | None, int | None, int | None] = (None, None, None),
    ) -> None:
        ours: list[IO[str] | None] = []
        theirs: list[int] = []
        for number, stream in enumerate(streams):
            if stream is None:
                ends = os.pipe()
                ours.append(os.fdopen(ends[number == 0], "r" if number else "w", encoding="utf-8"))
                theirs.append(ends[number != 0])
            else:
                ours.append(None)
                theirs.append(os.dup(stream))
        self.stdin, self.stdout, self.stderr = ours
        self._status, told = os.pipe()
        asked = {
            "arguments": arguments,
            "folder": str(folder),
            "patches": patches or {},
            "code": code,
        }
        asked["environment"] = {**os.environ, **(changes or {})}
        text = json.dumps(asked).encode()
        connection, _ = _server()
        socket.send_fds(connection, [len(text).to_bytes(4, "little")], [told, *theirs])
        connection.sendall(text)
        for descriptor in (told, *theirs):
            os.close(descriptor)
        self.pid = int.from_bytes(connection.recv(4), "little")
        assert self.pid, "the process that forks has ended"
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired("w2v", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = int(os.read(self._status, 9))
            os.close(self._status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, given: str = "", timeout: float | None = None) -> tuple[str, str]:
        """What it says on its two pipes, whose stdin gets so much (no more than a pipe holds)."""
        said = ["", ""]

        def read(number: int, stream: IO[str]) -> None:
            said[number] = stream.read()

        pipes = [(n, each) for n, each in enumerate((self.stdout, self.stderr)) if each]
        readers = [threading.Thread(target=read, args=pair, daemon=True) for pair in pipes]
        for reader in readers:
            reader.start()
        if self.stdin:
            try:
                self.stdin.write(given)
                self.stdin.close()
            except BrokenPipeError:
                pass
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        for _, pipe in pipes:
            pipe.close()
        return said[0], said[1]


@contextmanager
def forked(*arguments: str, **more: Any) -> Iterator[Fork]:
    """A process that is ended at the latest with the block."""
    process = Fork(*arguments, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(300)


def run(
    *arguments: str, given: str = "", timeout: float = 300, **more: Any
) -> subprocess.CompletedProcess[str]:
    """What becomes of `w2v` with these arguments."""
    with forked(*arguments, **more) as process:
        said = process.communicate(given, timeout)
    return subprocess.CompletedProcess(arguments, process.wait(), *said)


# Waits for its fork, and ends as it does. What it gets of signals stays with it.
PROGRAM = """#!{python} -IS
import json, os, socket, sys
streams = [n for n, each in enumerate((sys.stdin, sys.stdout, sys.stderr)) if each]
ended, told = os.pipe()
asked = dict(arguments=sys.argv[1:], folder=os.getcwd(), environment=dict(os.environ))
text = json.dumps({{**asked, "streams": streams}}).encode()
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    socket.send_fds(connection, [len(text).to_bytes(4, "little")], [told, *streams])
    connection.sendall(text)
    os.close(told)
    for stream in streams:
        os.close(stream)
    status = int(os.read(ended, 9))
if status < 0:
    os.kill(os.getpid(), -status)
os._exit(status)
"""


@functools.cache
def program() -> Path:
    """A program `w2v`, in a folder of its own, whose processes are forks too: for shells, and for
    others who start it."""
    folder = Path(tempfile.mkdtemp(dir=os.environ["HOME"]))  # the tests' own, which they remove
    (folder / "w2v").write_text(PROGRAM.format(python=sys.executable, address=_server()[1]))
    (folder / "w2v").chmod(0o755)
    return folder / "w2v"


@functools.cache
def _server() -> tuple[socket.socket, str]:
    """The connection to the process that forks, which ends with this one, and its address."""
    ours, theirs = socket.socketpair()
    address = f"\0w2v-tests-{secrets.token_hex(8)}"  # in no folder
    with theirs, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        environment["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # it would not be in a fork
        given = theirs.fileno(), listener.fileno()
        command = [sys.executable, "-m", "tests.forks", *map(str, given)]
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(
            command, stdin=nothing, env=environment, cwd=ROOT, pass_fds=given
        )
    atexit.register(_end, ours, process)
    return ours, address


def _end(connection: socket.socket, server: subprocess.Popen[bytes]) -> None:
    connection.close()
    with suppress(subprocess.TimeoutExpired):
        server.wait(5)


def warm_up() -> None:
    """Does what each process does once, such as to make what the first kernel needs that is loaded,
    the first step of an LSTM, and the verbs with their options; a second of the processor."""
    import torch
    import typer.main
    from numba.core.registry import cpu_target

    for context in (cpu_target.typing_context, cpu_target.target_context):
        context.refresh()
    with torch.random.fork_rng(devices=[]):
        torch.nn.LSTM(8, 8)(torch.zeros(3, 2, 8))[0].sum().backward()
    typer.main.get_command = functools.cache(typer.main.get_command)
    with open(os.devnull, "w", encoding="utf-8") as nothing, redirect_stdout(nothing):
        importlib.import_module("w2v.cli.app").main(["nearest", "--help"])


def serve(connection: socket.socket, listener: socket.socket) -> None:
    for name in IMPORTED:
        importlib.import_module(f"w2v.{name}")
    warm_up()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those who started it
    gc.collect()
    gc.freeze()  # a child that looks for garbage would copy all of it
    children: dict[int, tuple[int, int]] = {}  # by descriptor: process, where its status goes
    while True:
        for ready in select.select([connection, listener, *children], [], [])[0]:
            if isinstance(ready, int):
                child, told = children.pop(ready)
                status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                with suppress(BrokenPipeError):  # nobody waits for it any more
                    os.write(told, b"%d" % status)
                os.close(told)
                os.close(ready)
                continue
            asker = listener.accept()[0] if ready is listener else connection
            length, descriptors, _, _ = socket.recv_fds(asker, 4, 4)
            if not length:
                if asker is connection:
                    return
                asker.close()
                continue
            text = asker.recv(int.from_bytes(length, "little"), socket.MSG_WAITALL)
            server = os.getpid()
            if not (child := os.fork()):
                # ends with the server, which ends with the tests, also when these are killed
                ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
                if os.getppid() != server:
                    os._exit(1)
                for each in {connection, listener, asker}:
                    each.close()
                for descriptor in (*children, *(told for _, told in children.values())):
                    os.close(descriptor)
                _become(json.loads(text), descriptors)
            told, *streams = descriptors
            for descriptor in streams:
                os.close(descriptor)
            children[os.pidfd_open(child)] = child, told
            if asker is connection:
                connection.sendall(child.to_bytes(4, "little"))
            else:
                asker.close()


def _become(asked: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Is the program from here on."""
    status: Any = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _, *streams = descriptors
        given = dict(zip(asked.get("streams", range(3)), streams, strict=True))
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            before, stream = getattr(sys, name), None
            if number in given:
                os.dup2(given[number], number)
                stream = os.fdopen(
                    number,
                    "w" if number else "r",
                    encoding=before.encoding,
                    errors=before.errors,
                    buffering=1 if os.isatty(number) or number == 2 else -1,
                )
            else:
                os.close(number)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        for descriptor in descriptors:
            os.close(descriptor)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        for name, value in asked.get("patches", {}).items():
            module, _, constant = name.rpartition(".")
            setattr(importlib.import_module(module), constant, value)
        sys.argv = ["w2v", *asked["arguments"]]
        if code := asked.get("code"):
            exec(code, {"__name__": "__main__"})
            sys.exit()
        from w2v.__main__ import run

        run()
    except SystemExit as end:
        status = end.code or 0
        threading._shutdown()  # type: ignore[attr-defined]  # as Python does when it ends
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(*(socket.socket(fileno=int(number)) for number in sys.argv[1:]))
