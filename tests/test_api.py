"""The public face: what a program meets that says `import w2v`."""

from __future__ import annotations

import gc
import inspect
import json
import os
import pty
import random
import select
import subprocess
import sys
import threading
import time
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v
from w2v.settings.groups import all_settings
from w2v.settings.keywords import Keywords

ROOT = Path(__file__).parent.parent
SMALL: Any = {
    "dim": 8,
    "min_count": 1,
    "sample": 0,
    "epochs": 2,
    "threads": 1,
    "window": 3,
    "progress": False,
}
LM: Any = {
    "model": "lm",
    "dim": 8,
    "layers": 1,
    "epochs": 2,
    "threads": 1,
    "batch_size": 4,
    "bptt": 8,
    "progress": False,
}


def _numbers() -> list[list[int]]:
    draw = random.Random(1)
    return [
        [int(30 * draw.random() ** 2) for _ in range(draw.randrange(3, 15))] for _ in range(100)
    ]


NUMBERS = _numbers()
TOKENS = [[str(number) for number in line] for line in NUMBERS]
LINES = [" ".join(line) for line in TOKENS]


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory, a cache and a folder for temporary files of the test's own."""
    for name in ("work", "cache", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("W2V_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))


@pytest.fixture
def corpus() -> Path:
    path = Path("corpus.txt")
    path.write_text("".join(line + "\n" for line in LINES))
    return path


@pytest.fixture
def left(tmp_path: Path) -> Any:
    """What is in the folder for temporary files."""
    return lambda: sorted(path.name for path in (tmp_path / "tmp").iterdir())


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while new := set(threading.enumerate()) - before:
        assert time.monotonic() < deadline, new
        time.sleep(0.01)


def matrix(run: w2v.Run) -> np.ndarray:
    return np.array(run.vectors.matrix)


# ------------------------------------------------------------------------------- the corpus


def _generator() -> Iterator[str]:
    yield from LINES


def _pandas(values: Any) -> Any:
    return pytest.importorskip("pandas").Series(values)


def _polars(values: Any) -> Any:
    return pytest.importorskip("polars").Series(values)


def _arrow(values: Any) -> Any:
    return pytest.importorskip("pyarrow").array(values)


def _chunked(values: Any) -> Any:
    return pytest.importorskip("pyarrow").chunked_array([values[:30], values[30:]])


def _dataset(values: Any) -> Any:
    return pytest.importorskip("datasets").Dataset.from_dict({"walk": values})


CORPORA: dict[str, tuple[Any, Any]] = {
    "path": (lambda: Path("corpus.txt"), {}),
    "list of paths": (lambda: [Path("corpus.txt")], {}),
    "lines": (lambda: LINES, {}),
    "generator of lines": (_generator, {}),
    "lists of tokens": (lambda: TOKENS, {}),
    "generator of tokens": (lambda: iter(TOKENS), {}),
    "lists of integers": (lambda: NUMBERS, {}),
    "arrays of integers": (lambda: [np.array(line) for line in NUMBERS], {}),
    "pandas": (lambda: _pandas(LINES), {}),
    "polars": (lambda: _polars(LINES), {}),
    "arrow": (lambda: _arrow(LINES), {}),
    "arrow, integers": (lambda: _arrow(NUMBERS), {}),
    "arrow, chunked": (lambda: _chunked(LINES), {}),
    "dataset": (lambda: _dataset(LINES), {"column": "walk"}),
    "dataset, tokens": (lambda: _dataset(TOKENS), {"column": "walk"}),
}


@pytest.mark.parametrize("kind", CORPORA)
def test_the_same_text_gives_the_same_vectors_whatever_holds_it(kind: str, corpus: Path) -> None:
    make, settings = CORPORA[kind]
    expected = w2v.train("corpus.txt", **SMALL)
    found = w2v.train(make(), **SMALL, **settings)
    assert found.vectors.words == expected.vectors.words
    assert np.array_equal(matrix(found), matrix(expected))
    assert found.summary["words"] == expected.summary["words"]


# --------------------------------------------------------------------------- the settings


def test_every_setting_is_a_keyword_with_its_type() -> None:
    kinds = {"int": int, "float": float, "bool": bool, "str": str}
    hints = typing.get_type_hints(Keywords)
    settings = {name: each for name, each in all_settings().items() if name != "corpus"}
    assert list(hints) == list(settings)
    for name, setting in settings.items():
        members = set(typing.get_args(hints[name])) or {hints[name]}
        assert (type(None) in members) == setting.optional, name
        if setting.kind == "words":
            assert tuple[str, ...] in members, name
        else:
            assert kinds[setting.kind] in members, name
            allowed = {kinds[setting.kind], type(None)} | ({float} if setting.or_number else set())
            assert members <= allowed or any("PathLike" in str(each) for each in members), name


def test_every_keyword_is_an_option_of_the_command_line() -> None:
    from w2v.cli.train import command

    options = set(inspect.signature(command).parameters)
    assert set(Keywords.__annotations__) <= options
    others = options - set(Keywords.__annotations__) - {"corpus"}
    assert others == {"config", "resume", "no_cache", "dry_run", "quiet", "json"}


def test_help_and_completion_know_every_setting() -> None:
    parameters = inspect.signature(w2v.train).parameters
    assert set(Keywords.__annotations__) < set(parameters)
    settings = all_settings()
    for name in Keywords.__annotations__:
        assert f"    {name}: " in (w2v.train.__doc__ or "")
        if settings[name].default != ():
            assert parameters[name].default == settings[name].default


def test_values_that_programs_have_at_hand() -> None:
    plain = w2v.train(LINES, **SMALL, lr=0.05, seed=3, loss="adaptive-softmax", cutoffs=[9])
    numpy: Any = {
        **SMALL,
        "dim": np.int64(8),
        "sample": np.float64(0),
        "lr": np.float64(0.05),
        "seed": np.uint8(3),
        "lowercase": np.False_,
        "cutoffs": np.array([9]),
    }
    assert np.array_equal(matrix(w2v.train(LINES, **numpy, loss="adaptive-softmax")), matrix(plain))


def test_a_recipe_and_keywords(corpus: Path) -> None:
    Path("recipe.yaml").write_text(
        "corpus: corpus.txt\ndim: 12\nepochs: 1\nmin-count: 1\nthreads: 1\n"
    )
    run = w2v.train(config=Path("recipe.yaml"), dim=6, progress=False)
    assert (run.summary["dim"], run.summary["epochs"]) == (6, 1)


# ---------------------------------------------------------------------- results and places


def test_what_a_run_tells() -> None:
    run = w2v.train(LINES, **SMALL, output="run")
    assert run.path.is_dir() and run.path == Path("run").absolute()
    saved = json.loads((run.path / "summary.json").read_text())
    assert saved["words"] == run.summary["words"] and saved["final_loss"] > 0
    assert run.summary["epochs_done"] == 2 and run.summary["interrupted"] is False
    assert run.summary["vocabulary"] == len(run.vectors)
    epochs = [line for line in run.history if line.get("kind") == "epoch"]
    assert [line["epoch"] for line in epochs] == [1, 2]
    assert epochs[-1]["loss"] == run.summary["final_loss"]
    assert os.fspath(run) == str(run.path) and "2 of 2 epochs" in repr(run)
    vectors = w2v.load(run)
    assert isinstance(vectors, w2v.WordVectors)
    assert np.array_equal(vectors.matrix, run.vectors.matrix)
    os.chdir("/")
    assert w2v.load(run.path)


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.bin", "vectors.npy"])
def test_a_file_of_vectors(name: str) -> None:
    run = w2v.train(LINES, **SMALL, output=Path(name))
    assert run.path.is_file()
    loaded = w2v.load(name)
    assert isinstance(loaded, w2v.WordVectors)
    assert loaded.words == run.vectors.words
    expected = matrix(w2v.train(LINES, **SMALL))
    np.testing.assert_allclose(run.vectors.matrix, expected, rtol=1e-6)
    with pytest.raises(w2v.InputError):
        _ = run.model
    with pytest.raises(w2v.InputError):
        run.resume(epochs=3)


def test_without_output_nothing_remains(left: Any) -> None:
    run = w2v.train(LINES, **SMALL)
    assert len(left()) == 1 and run.path.is_dir()
    longer = run.resume(epochs=3, progress=False)
    vectors = run.vectors.matrix[:1].copy()
    del run
    gc.collect()
    assert longer.path.is_dir() and len(longer.vectors) and vectors.shape == (1, 8)
    del longer
    gc.collect()
    assert left() == [] and list(Path().iterdir()) == []


def test_a_failure_leaves_nothing(left: Any) -> None:
    with pytest.raises(w2v.InputError):
        w2v.train(["a"], **SMALL)
    with pytest.raises(w2v.InputError):
        w2v.train(LINES, **{**SMALL, "dim": 0})

    def fail(event: w2v.Event) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        w2v.train(LINES, **SMALL, callbacks=[fail])
    gc.collect()
    assert left() == [] and list(Path().iterdir()) == []


def test_a_language_model(left: Any) -> None:
    Path("valid.txt").write_text("\n".join(LINES[:20]))
    events: list[w2v.Event] = []
    run = w2v.train(LINES, **LM, valid=Path("valid.txt"), callbacks=[events.append])
    assert run.summary["model"] == "lm"
    assert {"progress", "epoch", "validation"} <= {event.kind for event in events}
    score = float(run.model.perplexity("valid.txt"))
    assert 1 < score < len(run.model.tokens)
    assert score == pytest.approx(run.summary["validation"]["perplexity"], rel=1e-5)
    text = run.model.generate("1 2", words=5, seed=2)
    assert text.startswith("1 2") and text == run.model.generate("1 2", words=5, seed=2)
    assert run.vectors.matrix.shape == (len(run.model.tokens), 8)
    loaded = w2v.load(run)
    assert isinstance(loaded, w2v.LanguageModel)
    assert float(loaded.perplexity("valid.txt")) == score
    longer = run.resume(epochs=3, progress=False)
    assert longer.summary["epochs_done"] == 3
    assert float(longer.model.perplexity("valid.txt")) != score
    with pytest.raises(w2v.InputError):
        _ = w2v.train(LINES, **SMALL).model


def test_several_losses(corpus: Path) -> None:
    found = w2v.compare(
        corpus,
        {"neg": {"negatives": np.int64(2)}, "hsigmoid": {}},
        output=Path("table"),
        **{name: value for name, value in SMALL.items() if name != "progress"},
    )
    assert [row.status for row in found.results] == ["done", "done"]
    with pytest.raises(w2v.InputError):
        w2v.compare(typing.cast(Any, LINES), ["neg", "nce"])


# -------------------------------------------------------------------------------- going on


@pytest.fixture
def polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run reports, and sees whether it is to stop, every millisecond."""
    for name in ("POLL_SECONDS", "REPORT_SECONDS"):
        monkeypatch.setattr(f"w2v.training.trainer.{name}", 0.001)


def test_resume_goes_on_as_the_command_line_does(corpus: Path) -> None:
    run = w2v.train(corpus, **SMALL, output="run").resume(epochs=4, progress=False)
    assert run.summary["epochs_done"] == 4
    epochs = [line["epoch"] for line in run.history if line.get("kind") == "epoch"]
    assert epochs == [1, 2, 3, 4]
    w2v.train(corpus, **SMALL, output="other")
    command = [sys.executable, "-m", "w2v", "train", "--resume", "other", "--epochs", "4", "-q"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert np.array_equal(matrix(run), np.load("other/vectors.npy"))
    with pytest.raises(w2v.InputError):
        run.resume(epochs=3)


def test_a_run_that_was_stopped_goes_on_to_the_result_of_one_that_was_not(polled: None) -> None:
    longer = {**SMALL, "epochs": 30}
    whole = w2v.train(LINES * 10, **longer)
    seen = []

    def stop(event: w2v.Event) -> object:
        seen.append(event)
        return "stop" if event.kind == "progress" and event["fraction"] > 0.1 else None

    part = w2v.train(LINES * 10, **longer, callbacks=[stop])
    assert part.summary["interrupted"] is True and 0 < part.summary["epochs_done"] < 30
    assert len(part.vectors) == len(whole.vectors)
    rest = part.resume(progress=False)
    assert rest.summary["interrupted"] is False and rest.summary["epochs_done"] == 30
    assert np.array_equal(matrix(rest), matrix(whole))


def test_from_memory_a_run_goes_on_with_the_text_given_again() -> None:
    run = w2v.train(_generator(), **SMALL, output="run")
    with pytest.raises(w2v.InputError):  # the generator is used up
        run.resume(epochs=3)
    again = w2v.train(_generator(), resume=run, epochs=3, progress=False)
    expected = w2v.train(LINES, **SMALL).resume(epochs=3, progress=False)
    assert np.array_equal(matrix(again), matrix(expected))
    with pytest.raises(w2v.InputError):
        w2v.train(LINES[:50], resume=run, epochs=4, progress=False)
    kept = w2v.train(LINES, resume=w2v.train(_generator(), **SMALL), epochs=3, progress=False)
    gc.collect()
    assert np.array_equal(matrix(kept), matrix(expected))


# ------------------------------------------------------------------- callbacks and messages


def test_callbacks_hear_of_everything_in_the_thread_of_the_caller(polled: None) -> None:
    Path("valid.txt").write_text("\n".join(LINES[:20]))
    heard: list[w2v.Event] = []
    threads = set()

    def hear(event: w2v.Event) -> None:
        heard.append(event)
        threads.add(threading.current_thread())

    run = w2v.train(
        LINES, **SMALL, valid="valid.txt", checkpoint_every="1k", output="run", callbacks=[hear]
    )
    by_kind: dict[str, list[w2v.Event]] = {}
    for event in heard:
        by_kind.setdefault(event.kind, []).append(event)
    assert set(by_kind) == {"progress", "epoch", "validation", "checkpoint"}
    assert threads == {threading.main_thread()}
    assert by_kind["progress"][-1]["fraction"] == 1
    assert [event["epoch"] for event in by_kind["epoch"]] == [1, 2]
    assert by_kind["epoch"][-1]["loss"] == run.summary["final_loss"]
    assert [event["epoch"] for event in by_kind["validation"]] == [1, 2]
    assert Path(by_kind["checkpoint"][-1]["path"]).parent.name == "checkpoints"


def test_an_exception_of_a_callback_comes_out(polled: None) -> None:
    calls = []

    def fail(event: w2v.Event) -> None:
        calls.append(event)
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        w2v.train(LINES * 10, **{**SMALL, "epochs": 50, "threads": 2}, callbacks=[fail])
    assert len(calls) == 1


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w2v.train(LINES, **SMALL).resume(epochs=3, progress=False)
        w2v.train(LINES, **LM)
    assert capfd.readouterr() == ("", "")
    w2v.train(LINES, **{**SMALL, "progress": True})
    shown = capfd.readouterr()
    assert shown.out == "" and "words/s" in shown.err


def test_warnings_point_at_the_caller() -> None:
    with pytest.warns(UserWarning, match="`heads`") as caught:  # has no effect on word vectors
        w2v.train(LINES, **SMALL, heads=3)
    assert {Path(each.filename).name for each in caught} == {"test_api.py"}


WRONG: dict[str, tuple[Any, dict[str, Any]]] = {
    "no such file": ("nowhere.txt", {}),
    "no such path": (Path("nowhere.txt"), {}),
    "no corpus": (None, {}),
    "empty": ([], {}),
    "empty lines": (["", ""], {}),
    "a number": (5, {}),
    "bytes": (b"a b c", {}),
    "floats": ([[1.5, 2.5]], {}),
    "mixed": (["a b", ["c"]], {}),
    "None among lines": (["a b", None], {}),
    "no column": (LINES, {"column": "walk"}),
    "misspelt": (LINES, {"min_counts": 3}),
    "a word for a number": (LINES, {"dim": "ten"}),
    "a broken number": (LINES, {"dim": 10.5}),
    "out of range": (LINES, {"window": 0}),
    "not finite": (LINES, {"lr": float("nan")}),
    "no loss": (LINES, {"loss": "negg"}),
    "no boolean": (LINES, {"lowercase": "perhaps"}),
    "patience without valid": (LINES, {"patience": 2}),
    "freeze without init": (LINES, {"freeze": True}),
    "too frequent": (LINES, {"min_count": 10**6}),
    "valid is a list": (LINES, {"valid": ["a b c"]}),
    "valid is missing": (LINES, {"valid": "nowhere.txt"}),
    "init is missing": (LINES, {"init": "nowhere.bin"}),
    "config is missing": (LINES, {"config": "nowhere.yaml"}),
    "config is a number": (LINES, {"config": 3}),
    "resume is missing": (None, {"resume": "nowhere"}),
    "output is a number": (LINES, {"output": 3}),
    "output is nowhere": (LINES, {"output": "nowhere/run"}),
    "callbacks is a function": (LINES, {"callbacks": print}),
    "callbacks are no functions": (LINES, {"callbacks": ["stop"]}),
    "progress is a word": (LINES, {"progress": "bar"}),
    "interval": (LINES, {"checkpoint_every": "often"}),
    "device": (LINES, {"device": "gpu"}),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_is_told(kind: str, left: Any) -> None:
    corpus, settings = WRONG[kind]
    with pytest.raises(w2v.InputError) as caught:
        w2v.train(corpus, **{**SMALL, **settings})
    assert isinstance(caught.value, ValueError)
    message = str(caught.value)
    assert message and "--" not in message and "\n" not in message
    assert left() == [] and list(Path().iterdir()) == []


@pytest.mark.parametrize("path", ["nowhere", 3, None, ".", b"nowhere"])
def test_load_tells_what_it_cannot_use(path: Any) -> None:
    with pytest.raises(w2v.InputError) as caught:
        w2v.load(path)
    assert "--" not in str(caught.value)


def test_what_fails_at_run_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert issubclass(w2v.RunError, RuntimeError) and issubclass(w2v.InputError, ValueError)
    with pytest.raises(w2v.RunError) as caught:
        w2v.train(LINES, **{**SMALL, "lr": 1e30})
    assert "--" not in str(caught.value) and "`lr`" in str(caught.value)


# ------------------------------------------------------------------------------ the process


def test_import_loads_nothing_heavy() -> None:
    script = """
import sys, time
began = time.perf_counter()
import w2v
took = time.perf_counter() - began
heavy = {"numba", "torch", "pyarrow", "pandas", "numpy", "datasets", "typer", "yaml"}
assert "train" in dir(w2v) and not heavy & set(sys.modules), heavy & set(sys.modules)
print(f"import w2v: {1000 * took:.0f} ms")
"""
    done = _python("-c", script)
    print(done.stdout)
    assert done.returncode == 0, done.stderr


def test_the_typed_example() -> None:
    """It is what a type checker of a user sees, and runs."""
    example = Path(__file__).with_name("typed_example.py")
    command = ["-m", "mypy", "--strict", "--config-file=", "--cache-dir", ".mypy"]
    environment = {"MYPYPATH": str(ROOT)}
    done = _python(*command, "--follow-imports=silent", str(example), **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    done = _python(str(example))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def _python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=300,
    )


SESSION = """
import threading, w2v
def hear(event):
    if event.kind == "progress" and event["words"]:
        print("training", flush=True)

run = w2v.train(["a b c d e f g"] * 1000, min_count=1, sample=0, epochs=10**6, \
threads=2, progress=False, callbacks=[hear])
"""
TOLD = 'print("stopped", run.summary["interrupted"], len(run.vectors), threading.enumerate())\n'


def test_ctrl_c_in_an_interactive_session_stops_softly() -> None:
    """At the prompt of Python, over a pseudo-terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-q", "-i"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "PYTHON_BASIC_REPL": "1"},
        preexec_fn=_own_terminal,
    )
    os.close(slave)
    try:
        os.write(master, SESSION.encode())
        _read_until(master, "\r\ntraining")
        os.write(master, b"\x03")
        text = _read_until(master, ">>> ")
        os.write(master, TOLD.encode())  # not before: Ctrl-C throws away what was typed
        text += _read_until(master, "[<_MainThread(")
        assert "stopped True 7" in text and "Traceback" not in text
        os.write(master, b"print(6 * 7, threading.active_count())\n")
        _read_until(master, "42 1")
        os.write(master, b"exit()\n")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _own_terminal() -> None:
    """Makes the pseudo-terminal the one whose Ctrl-C reaches the process."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_until(terminal: int, text: str) -> str:
    found, deadline = "", time.monotonic() + 60
    while text not in found:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"waited in vain for {text!r}: {found}"
        try:
            found += os.read(terminal, 4096).decode(errors="replace")
        except OSError:
            raise AssertionError(f"ended without {text!r}: {found}") from None
    return found
