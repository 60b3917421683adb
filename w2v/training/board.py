"""How the ranks of a run find each other and detect missing ranks: with a key-value store of
torch.distributed, torchrun's or one that rank 0 serves."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from w2v.errors import InputError, RunError
from w2v.system.ranks import RankPosition

PATIENCE = "W2V_PATIENCE"  # environment variable: fewest seconds to wait for another rank
JOIN_SECONDS = 600.0  # between the start of the first rank and that of the last
STORE_SECONDS = 3.0  # timeout of the store when ranks are missing
SESSION = "w2v/session"  # key: the name of the run that ranks are joining
SIOCGIFADDR = 0x8915  # Linux: the IPv4 address of an interface
Value = TypeVar("Value")


def patience(default: float) -> float:
    """Returns the fewest seconds to wait for another rank: W2V_PATIENCE or `default`."""
    text = os.environ.get(PATIENCE, "").strip() or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds < 1e8:
        raise InputError(f"{PATIENCE} is {text}: it must be a number of seconds, at least 1")
    return seconds


def in_thread(work: Callable[[], Value]) -> Future[Value]:
    """Runs `work` in a thread and returns its future. Were the main thread blocked outside
    of Python, no signal handler would run."""
    future = Future[Value]()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class Board:
    """Access to the store. store: the part of it that belongs to this run. owner: a name that is
    the same for all restarts by torchrun and differs between starts."""

    _server: Any = None  # kept for a second run in this process
    _reports = False  # whether this rank has been chosen to report a failure

    def __init__(self, dist: Any, position: RankPosition) -> None:
        """Waits until all ranks have joined; raises RunError if one does not in time."""
        seconds, self._position = patience(JOIN_SECONDS), position
        host, port = (os.environ.get(f"MASTER_{name}", "") for name in ("ADDR", "PORT"))
        if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
            problem = f"MASTER_ADDR is {host!r} and MASTER_PORT {port!r}"
            remedy = "start with torchrun, or set both for all ranks"
            raise InputError(f"WORLD_SIZE is {position.size}, {problem}: {remedy}")
        if "GLOO_SOCKET_IFNAME" not in os.environ and (interface := interface_to(host)) is not None:
            os.environ["GLOO_SOCKET_IFNAME"] = interface
        waits, where = timedelta(seconds=seconds), f"rank {position.rank} of {position.size}"
        serves = position.rank == 0 and not _agent_serves()
        try:
            if Board._server is None:
                options = {"timeout": waits, "wait_for_workers": False}
                address = host, int(port), None, serves
                Board._server = in_thread(lambda: dist.TCPStore(*address, **options)).result()
        except Exception as error:
            why = " ".join(str(error).split())[:200]
            raise RunError(f"{where} cannot reach the others at {host}:{port}: {why}") from error
        self._dist, self._late = dist, (f"{where} waited {seconds:g} s for", f"at {host}:{port}")
        try:
            self.store = self._joined(time.monotonic() + seconds)
        except RunError:
            raise
        except RuntimeError as error:  # the store has gone
            raise self._late_error(0) from error
        self.owner: str = Board._server.get("w2v/owner").decode()
        self._hosts = [self.store.get(f"host/{rank}").decode() for rank in range(position.size)]

    def _joined(self, until: float) -> Any:
        """Returns a store of this run alone, once all ranks use it: the server may still hold what
        the predecessors of restarted ranks have written, and torchrun counts the restarts of each
        machine differently.

        Rank 0 names the session. It withdraws the name when all have joined, before it says so:
        others that find the name of an earlier session are never told that it is complete.
        """
        server, position, session = Board._server, self._position, ""
        if position.rank == 0:
            session = uuid.uuid4().hex
            server.compare_set("w2v/owner", "", session)
            server.set(SESSION, session)
        while True:
            if position.rank:
                # waits for the first name; later an empty one means that the session is complete
                session = in_thread(lambda: server.get(SESSION).decode()).result() or session
            store = self._dist.PrefixStore(f"w2v/{session}", server)
            if session:
                store.set(f"host/{position.rank}", socket.gethostname())
                here = [store.check([f"host/{rank}"]) for rank in range(position.size)]
                if position.rank == 0 and all(here):
                    server.set(SESSION, "")
                    store.set("complete", "")
                if store.check(["complete"]):
                    return store
            if time.monotonic() > until:
                raise self._late_error(here.index(False) if session and not all(here) else 0)
            time.sleep(0.02)

    def _late_error(self, rank: int) -> RunError:
        waited, address = self._late
        problem = f"{waited} rank {rank} {address}"
        return RunError(f"{problem}: start it too, where it can reach that address")

    def missing(self) -> str:
        """Returns the names of ranks that do not report to the store within a second."""

        def silent_ranks() -> list[int]:
            self.store.set(f"alive/{self._position.rank}", "")
            time.sleep(1.0)
            ranks = range(self._position.size)
            return [rank for rank in ranks if not self.store.check([f"alive/{rank}"])]

        silent = _answer(silent_ranks)
        if silent is None:  # the store is gone, and with it the rank that serves it
            silent = [0] if self._position.rank and not _agent_serves() else []
        return " and ".join(f"rank {rank} ({self._hosts[rank]})" for rank in silent)

    def is_first_to_report(self) -> bool:
        """Returns whether this rank should report the failure: it is the first to ask the store
        or, if the store cannot be reached, the first rank of its machine."""
        if self._reports:  # asked again, on the error's way out
            return True
        number = _answer(lambda: self.store.add("reported", 1))
        if number is not None:
            self._reports = bool(number == 1)
            return self._reports
        # one rank per machine; on that of rank 0, which has reported it if alive, also rank 1
        position = self._position
        return position.local_rank == 0 or position.rank == position.local_rank == 1


def interface_to(host: str) -> str | None:
    """Returns the name of the network interface that leads to a host, or None if that is the
    loopback or unknown. A machine's own name often resolves to a loopback address, on which gloo
    would wait in vain."""
    import fcntl

    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # sends nothing
        address = socket.inet_aton(probe.getsockname()[0])
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                request = name.encode()[:15].ljust(40, b"\0")
                if fcntl.ioctl(probe, SIOCGIFADDR, request)[20:24] == address:
                    return None if name == "lo" else name
    return None


def _agent_serves() -> bool:
    """Returns whether torchrun serves the store."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _answer(question: Callable[[], Value]) -> Value | None:
    """Returns the store's answer, or None if it cannot be reached."""
    with suppress(Exception):
        return in_thread(question).result(STORE_SECONDS)
    return None
