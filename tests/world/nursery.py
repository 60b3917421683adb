"""A process that has imported everything and forks the ranks of runs: starting one from nothing
takes two seconds of imports.

    {"size": 2, "arguments": ["train", …], "environment": {…}, "fault": [rank, section, signal]}

A line of JSON asks for a run of `w2v`, whose answer is a line with [status, stdout, stderr] of
every rank. With a `fault` that rank sends itself a signal in the middle of a meeting at the end of
that section (from 1); a "nan" makes its loss one. `apart`: as if each were on its own machine.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

# before anything is imported that asks for it
os.environ |= {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "FATAL"}

import torch.distributed  # noqa: F401

import w2v.lm.engine
import w2v.lm.task
import w2v.lm.validation
import w2v.words.autograd
from tests.forks import warm_up
from w2v import __main__ as program
from w2v.lm import columns
from w2v.training.meeting import Meeting
from w2v.training.neighbours import Neighbours

columns.BLOCK_TOKENS = 300  # so that a small text has many sections
GRACE_SECONDS = 200  # for ranks that are left when the first one has ended


def fail(rank: int, section: int, how: str) -> None:
    agree, sections = Meeting.sums, iter(range(1, 1 << 30))

    def sums(self, own, *more, **named):
        if self.world.rank == rank and next(sections) == section:
            os.kill(os.getpid(), getattr(signal, how))
        return agree(self, own, *more, **named)

    if how == "nan":
        train = w2v.lm.engine.LanguageModelEngine.train

        def diverged(self, block, *more):
            tally = train(self, block, *more)
            if self.world.rank == rank and block.index + 1 == section:
                tally.loss = float("nan")
            return tally

        w2v.lm.engine.LanguageModelEngine.train = diverged
    else:
        Meeting.sums = sums


def born(rank: int, asked: dict, folder: Path) -> None:
    """Becomes one rank of the run."""
    size = asked["size"]
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
    os.environ |= {"LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1"}
    os.environ |= {"MASTER_PORT": str(asked["port"]), **asked.get("environment", {})}
    os.environ |= asked.get("environments", [{}] * size)[rank]
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / f"{name}-{rank}", os.O_WRONLY | os.O_CREAT), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = open(0)  # noqa: SIM115  (the one before has been read from)
    if asked.get("apart"):
        Neighbours.find = lambda world: None
    if "fault" in asked:
        fail(*asked["fault"])
    sys.argv = ["w2v", *asked["arguments"][rank % len(asked["arguments"])]]
    if "script" in asked:
        runpy.run_path(asked["script"], run_name="__main__")
        sys.stdout.flush()
        os._exit(0)
    program.run()


def run(asked: dict) -> list[list]:
    with tempfile.TemporaryDirectory() as name:
        folder, alive, status = Path(name), {}, {}
        for rank in range(asked["size"]):
            if not (child := os.fork()):
                try:
                    born(rank, asked, folder)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(99)  # never back into this loop
            alive[child] = rank
        limit = float("inf")
        while alive:
            child, ended = os.waitpid(-1, os.WNOHANG)
            if child:
                status[alive.pop(child)] = os.waitstatus_to_exitcode(ended)
                limit = min(limit, time.monotonic() + GRACE_SECONDS)
            elif time.monotonic() > limit or signal_seen(alive, status, asked):
                for each in alive:
                    os.kill(each, signal.SIGKILL)
            time.sleep(0.02)
        text = {
            (rank, each): (folder / f"{each}-{rank}").read_text(errors="replace")
            for rank in range(asked["size"])
            for each in ("out", "err")
        }
    return [[status[rank], text[rank, "out"], text[rank, "err"]] for rank in range(asked["size"])]


def signal_seen(alive: dict, status: dict, asked: dict) -> bool:
    """Whether only the one that has stopped itself is left."""
    stopped = "fault" in asked and asked["fault"][2] == "SIGSTOP"
    return bool(stopped and status and list(alive.values()) == [asked["fault"][0]])


if __name__ == "__main__":
    warm_up()
    gc.collect()
    gc.freeze()  # a child that looks for garbage would copy all of it
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
