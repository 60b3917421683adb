"""The training table: order of the rounds, medians and ratios, the work per prediction, what each
peer is told."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harness import training
from harness.entries import Entry, Run, as_row, entries_of, matrix_share
from harness.process import Finished, Output
from harness.spread import Spread, paired_ratio, spread
from harness.systems import Case, Peer, parse_peer, w2v_command
from harness.text import mean_path, plain_text, rows_per_prediction
from harness.training import Setup, TrainingBench

from w2v.errors import InputError, RunError
from w2v.vectors import save_vectors

CASE = Case("skip-gram", "neg", 2, 100, 5, 5, 1e-3, 5, 0.025, 3)
HSIGMOID = replace(CASE, loss="hsigmoid")


def test_spread_and_paired_ratios() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([4.0, 1.0]) == Spread(2.5, 1.0, 4.0)
    assert spread([]) is None
    assert spread([1.0, None]) is None
    # round by round: 10/2, 40/4; round 3 is missing on one side, round 4 has no value
    assert paired_ratio({1: 10.0, 2: 40.0, 3: 1.0, 4: None}, {1: 2.0, 2: 4.0, 4: 1.0}) == Spread(
        7.5, 5.0, 10.0
    )
    assert paired_ratio({1: 1.0}, {2: 1.0}) is None


def run_of(speed: float, seconds: float, **more: object) -> Run:
    return Run(seconds, 1.0, speed, 1_000_000, 0.5, **more)  # type: ignore[arg-type]


def test_a_row_compares_within_rounds() -> None:
    ours = Entry("w2v", CASE, runs={1: run_of(100, 1), 2: run_of(400, 1), 3: run_of(300, 2)})
    peer = Entry(
        "gensim",
        CASE,
        Peer("gensim", "python"),
        runs={1: run_of(10, 5), 2: run_of(20, 9), 3: run_of(10, 8)},
    )
    row = as_row(peer, ours, None)
    assert row["words_per_second"] == {"median": 10, "low": 10, "high": 20}
    assert row["words_per_second_per_thread"] == {"median": 5, "low": 5, "high": 10}
    assert row["speed_ratio"] == {"median": 20, "low": 10, "high": 30}
    assert row["time_ratio"] == {"median": 5, "low": 4, "high": 9}
    assert row["peak_megabytes"]["median"] == 1.0
    assert as_row(ours, ours, None)["speed_ratio"] is None


def test_share_of_the_matrix_rate() -> None:
    runs = {
        1: Run(9, 2.0, 1, 1, None, predictions=1000),
        2: Run(9, 4.0, 1, 1, None, predictions=1000),
    }
    found = matrix_share(Entry("w2v", CASE, runs=runs), 6.0, {1: 6e6, 2: 6e6})
    # 6 * 100 * 6 * 1000 = 3.6e6 operations in 2 s and in 4 s
    assert found == Spread(pytest.approx(0.225), pytest.approx(0.15), pytest.approx(0.3))
    assert matrix_share(Entry("w2v", CASE, runs=runs), None, {1: 1.0}) is None


def test_output_rows_per_prediction(tmp_path: Path) -> None:
    assert rows_per_prediction(CASE, "unused") == 6
    assert rows_per_prediction(replace(CASE, loss="sampled-softmax", negatives=9), "unused") == 10
    assert rows_per_prediction(replace(CASE, loss="softmax"), "unused") is None
    # paths: a 1, b 2, c and d 3 nodes
    counts = np.array([8, 4, 2, 1])
    assert mean_path(counts, 0) == pytest.approx((8 * 1 + 4 * 2 + 3 * 3) / 15)
    kept = [8, 4, 2, 1] * np.minimum(1, [math.sqrt(0.1 / f) + 0.1 / f for f in counts / 15])
    assert mean_path(counts, 0.1) == pytest.approx((kept * [1, 2, 3, 3]).sum() / kept.sum())
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("a " * 8 + "b " * 4 + "c " * 2 + "d\n")
    case = replace(HSIGMOID, sample=0.0, min_count=1)
    assert rows_per_prediction(case, str(corpus)) == pytest.approx(25 / 15)


@pytest.fixture
def everything(tmp_path: Path) -> tuple[Peer, ...]:
    """Every kind of peer, none of which is called."""
    return tuple(
        Peer(kind, f"/opt/{kind}") for kind in ("gensim", "fasttext", "word2vec.c", "pword2vec")
    )


@pytest.mark.parametrize(
    ("case", "systems"),
    [
        (CASE, ["w2v", "gensim", "fasttext", "word2vec.c", "pword2vec"]),
        (HSIGMOID, ["w2v", "gensim", "fasttext", "word2vec.c"]),
        (replace(CASE, model="cbow"), ["w2v", "gensim", "fasttext", "word2vec.c"]),
        (replace(CASE, loss="hsigmoid+neg"), ["w2v", "gensim", "word2vec.c"]),
        (replace(CASE, loss="sampled-softmax"), ["w2v"]),
    ],
)
def test_what_a_peer_cannot_do_is_left_out_and_said(
    case: Case, systems: list[str], everything: tuple[Peer, ...]
) -> None:
    said: list[str] = []
    assert [entry.system for entry in entries_of([case], [], everything, said.append)] == systems
    assert len(said) == 5 - len(systems)
    assert all(text.endswith("and is left out there") for text in said)


def test_command_lines() -> None:
    peers = {kind: Peer(kind, "/p") for kind in ("gensim", "fasttext", "word2vec.c", "pword2vec")}
    cbow = replace(HSIGMOID, model="cbow", window=7, threads=3)
    given = dict(zip(*[iter(peers["word2vec.c"].command(cbow, "c", "o", 1)[1:])] * 2, strict=True))
    assert given == {
        "-train": "c",
        "-output": "o",
        "-size": "100",
        "-window": "7",
        "-negative": "0",
        "-hs": "1",
        "-cbow": "1",
        "-sample": "0.001",
        "-threads": "3",
        "-iter": "3",
        "-min-count": "5",
        "-alpha": "0.025",
        "-binary": "1",
    }
    assert "-negative 5" in " ".join(
        peers["word2vec.c"].command(replace(CASE, loss="hsigmoid+neg"), "c", "o", 1)
    )
    assert peers["pword2vec"].command(replace(CASE, window=7), "c", "o", 1)[-2:] == [
        "-batch-size",
        "15",
    ]
    told = json.loads(peers["gensim"].command(HSIGMOID, "c", "o", 4)[-1])
    assert (told["hs"], told["negatives"], told["seed"], told["model"], told["epochs"]) == (
        1,
        0,
        4,
        "skip-gram",
        3,
    )
    ours = " ".join(w2v_command(CASE, "c", "o.bin", 2, ("--lr", "0.1")))
    assert (told["lr"], json.loads(peers["fasttext"].command(CASE, "c", "o", 4)[-1])["lr"]) == (
        0.025,
        0.025,
    )
    assert "--negatives 5" in ours
    assert ours.endswith("--lr 0.1")
    assert "--negatives" not in w2v_command(HSIGMOID, "c", "o.bin", 2)


def test_peers_that_are_not_there() -> None:
    with pytest.raises(
        InputError, match=r"--peer word2vec\.c=/no: no program /no; give the path of the program"
    ):
        parse_peer("word2vec.c=/no")
    with pytest.raises(InputError, match="has no module fasttext"):
        parse_peer("fasttext=/bin/false")


def test_plain_text(tmp_path: Path) -> None:
    said: list[str] = []
    plain, packed, table = (tmp_path / name for name in ("a.txt", "b.gz", "c.parquet"))
    plain.write_text("one line")
    packed.write_bytes(gzip.compress(b"another\nline\n"))
    table.write_bytes(b"")
    assert plain_text([str(plain)], tmp_path, said.append) == str(plain)
    assert said == []
    copy = plain_text([str(plain), str(packed)], tmp_path, said.append)
    assert Path(copy).read_text() == "one line\nanother\nline\n"
    assert len(said) == 1
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(InputError, match="there is no text in"):
        plain_text([str(tmp_path / "empty.txt")], tmp_path, said.append)


class Machine:
    """Stands in for the running of programs: remembers what was run, in which order, and writes
    vectors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[str] = []
        self.broken: dict[str, str] = {}
        monkeypatch.setattr(training, "run", self.run)
        monkeypatch.setattr(training, "matrix_rates", lambda threads: dict.fromkeys(threads, 1e9))

    def run(self, command: list[str], environment: object = None) -> Finished:
        ours = "-m" in command
        threads = command[command.index("--threads" if ours else "-threads") + 1]
        system = "w2v" if ours else Path(command[0]).name
        self.ran.append(f"{system}/{threads}")
        output = Output()
        if system in self.broken and len(self.ran) > 4:
            output.feed(self.broken[system].encode(), 0)
            return Finished(1, 1.0, 10, output)
        path = command[command.index("--output" if ours else "-output") + 1]
        save_vectors(path, ["a", "b"], np.eye(2, dtype=np.float32))
        if ours:
            summary = {"seconds": {"training": 0.5}, "predictions": 700, "words": {"read": 1000}}
            output.feed(json.dumps(summary).encode(), 0)
        else:
            output.feed(b"Progress: 0.00%", 0)
            output.feed(b"Progress: 100.00%", 5)
        return Finished(0, 10.0, 2_000_000, output)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("a b\n")
    cases = (replace(CASE, threads=1), CASE)
    return Setup(
        (str(corpus),), cases, (Peer("word2vec.c", "/x/A"), Peer("pword2vec", "/x/B")), repeat=2
    )


def test_systems_take_turns_in_rounds(monkeypatch: pytest.MonkeyPatch, setup: Setup) -> None:
    machine = Machine(monkeypatch)
    results = TrainingBench(setup, lambda text: None).measure()
    turn = ["w2v/1", "A/1", "B/1", "w2v/2", "A/2", "B/2"]
    assert machine.ran == ["w2v/1", *turn, *turn]  # one kernel: one first run
    rows = {(row["system"], row["threads"]): row for row in results["rows"]}
    ours, peer = rows["w2v", 2], rows["word2vec.c", 2]
    assert ours["words_per_second"]["median"] == 1000 * 3 / 0.5
    assert peer["words_per_second"]["median"] == 1000 * 3 / 5
    assert peer["speed_ratio"]["median"] == 10
    assert peer["time_ratio"]["median"] == 1
    assert ours["matrix_share"]["median"] == pytest.approx(6 * 100 * 6 * 700 / 0.5 / 1e9)
    assert [row["first_run"] for row in results["rows"]] == [True] + [False] * 6
    assert len(peer["runs"]) == 2
    assert results["questions"] is None  # these vectors have none of the demo's words


def test_a_variant_is_a_system_of_its_own(
    monkeypatch: pytest.MonkeyPatch, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    import run

    Machine(monkeypatch)
    options = ["--peer", "none", "--threads", "1", "--repeat", "1", "--json", "--variant"]
    assert run.main(["training", *setup.corpus, *options, "--lr 0.01"]) == 0
    names = "w2v, first run", "w2v --lr 0.01, first run", "w2v", "w2v --lr 0.01"
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert tuple(row["system"] for row in rows) == names


def test_a_failing_peer_is_told_once_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, setup: Setup
) -> None:
    machine = Machine(monkeypatch)
    machine.broken["A"] = "out of luck"
    said: list[str] = []
    results = TrainingBench(setup, said.append).measure()
    warnings = [text for text in said if text.startswith("warning")]
    assert warnings == [
        f"warning: word2vec.c (skip-gram, neg, {threads}) failed and is left out from here on "
        "(exit code 1: out of luck)"
        for threads in ("2 threads", "1 thread")
    ]
    assert machine.ran.count("A/2") == 1
    assert machine.ran.count("B/2") == 2
    assert ("word2vec.c", 2) not in {(row["system"], row["threads"]) for row in results["rows"]}


def test_w2v_itself_must_not_fail(monkeypatch: pytest.MonkeyPatch, setup: Setup) -> None:
    machine = Machine(monkeypatch)
    machine.broken["w2v"] = "w2v train: no"
    with pytest.raises(
        RunError, match=r"w2v \(skip-gram, neg, 2 threads\) failed \(exit code 1: w2v train: no\)"
    ):
        TrainingBench(setup, lambda text: None).measure()
