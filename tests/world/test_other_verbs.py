"""Under torchrun: verbs that work in one process do so once, and a program trains several times."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import suppress

import pytest

from tests import ranks as processes

PROGRAM = """
import sys
import w2v

corpus, folder = sys.argv[1:]
settings = dict(dim=4, epochs=1, min_count=1)
try:
    w2v.train(folder + "/none", output=folder + "/wrong", **settings)
except w2v.InputError as error:
    print("refused")
for name in ("first", "second"):
    print(len(w2v.train(corpus, output=f"{folder}/{name}", **settings).vectors) > 9)
try:
    w2v.compare(corpus, losses="neg,nce", output=folder + "/losses")
except w2v.InputError as error:
    print("refused")
"""


def test_rank_0_does_it_alone(corpus, tmp_path):
    """So do the processes that it starts."""
    made = tmp_path / "made"
    settings = ["--losses", "neg", "--epochs", "1", "--dim", "4", "--quiet", "-o", made]
    first, other = processes.run(2, "-m", "w2v", "compare", corpus, *settings)
    assert (other.status, other.out, other.err) == (0, "", "")
    assert first.status == 0, first.err
    assert first.out.startswith("neg\t") and "one process" in first.err
    assert '"ranks"' not in (made / "neg" / "summary.json").read_text()


def test_a_program_goes_on_after_a_refusal(ranks, corpus, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    for end in ranks(2, corpus, tmp_path, script=str(tmp_path / "program.py")):
        assert end.status == 0, end.err
        assert end.out.split() == ["refused", "True", "True", "refused"]


def test_a_port_that_there_is_not(corpus):
    (end,) = processes.end(
        processes.start(1, ["-m", "w2v", "train", corpus], WORLD_SIZE="2", MASTER_PORT="65536")
    )
    assert end.status == 2
    (line,) = end.err.splitlines()
    assert "MASTER_PORT '65536'" in line


def test_a_signal_ends_the_wait_for_others(corpus):
    port = processes.free_port()
    given = {"WORLD_SIZE": "2", "MASTER_PORT": str(port)}
    (process,) = processes.start(1, ["-m", "w2v", "train", corpus], **given)
    with pytest.raises(subprocess.TimeoutExpired):
        while process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                process.wait(0.5)  # it is met, and waits for rank 1
            time.sleep(0.05)
    process.terminate()
    (end,) = processes.end([process])
    assert (end.status, end.err) == (143, "w2v train: terminated\n")
