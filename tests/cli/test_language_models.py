"""The verbs on the run directory of a language model: eval --text, score, generate, and those for
its embeddings."""

from __future__ import annotations

import gzip
import importlib.util
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from w2v.lm.language_model import LanguageModel
from w2v.lm.saved import load_language_model

from .conftest import Run, environment


def load_helpers() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "language_runs", Path(__file__).parents[1] / "language_runs.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runs = load_helpers()
LAYERS = ("softmax", "adaptive-softmax", "hsigmoid", "nce")
TEXT = "w1 w2 nowhere w3\n\nw4 <unk> w5\nw6"


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run per output layer, named after it; w30 is too rare for their vocabularies."""
    folder = tmp_path_factory.mktemp("templates")
    (folder / "corpus.txt").write_text(runs.corpus_text())
    for loss in LAYERS:
        more = {"negatives": 4} if loss == "nce" else {}
        runs.write_run(folder / loss, folder / "corpus.txt", loss=loss, **more)
    return folder


@pytest.fixture
def run(templates: Path, tmp_path: Path) -> str:
    """The name of a run in the directory in which `w2v` runs."""
    shutil.copytree(templates / "softmax", tmp_path / "run")
    return "run"


def by_hand(saved: LanguageModel, lines: list[str]) -> np.ndarray:
    """log P of every token of the lines, one at a time from the start state, in float64."""
    vocabulary, model = saved.vocabulary, saved.network.double()
    ids = [token for line in lines for token in (*vocabulary.encode(line).tolist(), vocabulary.eos)]
    state, last, found = model.start(1), vocabulary.eos, []
    state = tuple(part.double() for part in state)
    with torch.no_grad():
        for token in ids:
            hidden, state = model.hidden(torch.tensor([[last]]), state)
            found.append(model.output.log_prob(hidden[0])[0, token].item())
            last = token
    return np.array(found)


# --------------------------------------------------------------------------------------------------
# eval --text


@pytest.mark.parametrize("loss", LAYERS)
def test_perplexity_is_that_of_a_sum_by_hand(
    w2v: Run, templates: Path, tmp_path: Path, loss: str
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    done = w2v("eval", str(templates / loss), "--text", "text.txt", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    values = json.loads(done.stdout)
    log_p = by_hand(load_language_model(templates / loss), TEXT.split("\n"))
    assert len(log_p) == 12
    assert {name: values[name] for name in ("tokens", "eos", "oov")} == {
        "tokens": 12,
        "eos": 4,
        "oov": 2,
    }
    assert values["nats"] == pytest.approx(-log_p.sum(), rel=1e-5)
    assert values["perplexity"] == pytest.approx(math.exp(-log_p.mean()), rel=1e-5)
    assert values["bits_per_word"] == pytest.approx(-log_p.mean() / math.log(2), rel=1e-5)


def test_piped_output_and_texts_of_all_kinds(w2v: Run, run: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT + "\n")
    (tmp_path / "text.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "text.jsonl").write_text(
        "".join(json.dumps({"t": line}) + "\n" for line in TEXT.split("\n"))
    )
    first = w2v("eval", run, "--text", "text.txt")
    rows = dict(line.split("\t") for line in first.stdout.splitlines())
    assert list(rows) == ["perplexity", "bits_per_word", "tokens", "eos", "oov", "nats"]
    assert w2v("eval", run, "--text", "text.gz").stdout == first.stdout
    assert w2v("eval", run, "--text", "-", stdin=TEXT).stdout == first.stdout
    assert w2v("eval", run, "--text", "text.jsonl", "--column", "t").stdout == first.stdout
    twice = json.loads(w2v("eval", run, "--text", "text.txt", "--text", "text.gz", "--json").stdout)
    assert twice["tokens"] == 24


def test_lower_case_is_the_run_s_own(w2v: Run, templates: Path, tmp_path: Path) -> None:
    runs.write_run(tmp_path / "low", templates / "corpus.txt", lowercase=True)
    values = json.loads(w2v("eval", "low", "--text", "-", "--json", stdin="W1 w2 W3\n").stdout)
    assert (values["tokens"], values["oov"]) == (4, 0)


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["run", "--text", "-"], "", "the corpus holds no word: "),
        (["run", "--text", "-"], "nothing known here\n", "run knows no word of -: "),
        (["run", "--text", "none.txt"], "", "none.txt; check the path"),
        (["run", "--text", "-"], b"\0\1\2\3" * 100, "standard input looks like a binary file"),
        (
            ["none", "--text", "-"],
            "w1\n",
            "none is no run directory: name the directory of a run with --model lm",
        ),
        (
            ["v.bin", "--text", "-"],
            "w1\n",
            "v.bin is no run directory: name the directory of a run with --model lm",
        ),
        (["vectors", "--text", "-"], "w1\n", "vectors holds no language model: name the directory"),
        (
            ["run", "q.txt", "--text", "-"],
            "w1\n",
            "SETS are for word vectors and --text for language models",
        ),
        (
            ["run", "--ci", "--text", "-"],
            "w1\n",
            "--ci is for questions and pairs, and a --text is one stream",
        ),
        (
            ["run", "--text", "-", "--device", "tpu"],
            "w1\n",
            "--device tpu is not one of auto, cpu, cuda",
        ),
        (
            ["run", "--text", "-", "--encoding-errors", "x"],
            "w1\n",
            "--encoding-errors x is not one of",
        ),
    ],
)
def test_eval_text_input_errors(
    w2v: Run,
    run: str,
    model: str,
    tmp_path: Path,
    arguments: list[str],
    stdin: str | bytes,
    message: str,
) -> None:
    (tmp_path / "vectors").mkdir()
    np.save(tmp_path / "vectors" / "vectors.npy", np.eye(2, dtype=np.float32))
    done = w2v("eval", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


@pytest.mark.parametrize(
    "verb", [["eval", "run", "--text", "-"], ["score", "run"], ["generate", "run"]]
)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0not a header"),
        ("model.safetensors", b""),
        ("vocab.tsv", b"w1\t9\nw2\t3\n"),
        ("config.yaml", b"dim: ["),
        ("format_version", b"7\n"),
    ],
)
def test_damaged_runs(
    w2v: Run, run: str, tmp_path: Path, verb: list[str], name: str, content: bytes
) -> None:
    (tmp_path / "run" / name).write_bytes(content)
    done = w2v(*verb, stdin="w1 w2\n")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "internal error" not in done.stderr


# --------------------------------------------------------------------------------------------------
# score


@pytest.mark.parametrize("loss", LAYERS)
def test_a_line_of_output_for_each_of_input(w2v: Run, templates: Path, loss: str) -> None:
    done = w2v("score", str(templates / loss), stdin=TEXT)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(row[1], row[2]) for row in rows] == [("5", "1"), ("1", "0"), ("4", "1"), ("2", "0")]
    for line, row in zip(TEXT.split("\n"), rows, strict=True):
        alone = by_hand(load_language_model(templates / loss), [line]).sum()
        assert float(row[0]) == pytest.approx(alone, abs=1e-4)


def test_continuous_scores_add_up_to_the_perplexity(w2v: Run, run: str, tmp_path: Path) -> None:
    text = runs.corpus_text(seed=5, lines=300)
    (tmp_path / "text.txt").write_text(text)
    values = json.loads(w2v("eval", run, "--text", "text.txt", "--json").stdout)
    rows = [
        json.loads(line)
        for line in w2v("score", run, "--continuous", "--json", stdin=text).stdout.splitlines()
    ]
    assert len(rows) == 301
    assert sum(row["log_prob"] for row in rows) == pytest.approx(-values["nats"], rel=1e-6)
    assert sum(row["tokens"] for row in rows) == values["tokens"]
    assert sum(row["oov"] for row in rows) == values["oov"]
    fresh = [
        json.loads(line) for line in w2v("score", run, "--json", stdin=text).stdout.splitlines()
    ]
    assert fresh[0]["log_prob"] == pytest.approx(rows[0]["log_prob"], rel=1e-6)
    assert fresh[5]["log_prob"] != pytest.approx(rows[5]["log_prob"], rel=1e-4)


def test_tokens_and_bases(w2v: Run, run: str) -> None:
    line = "w1 nowhere w2\n"
    nats = json.loads(w2v("score", run, "--json", "--tokens", stdin=line).stdout)
    assert [each["token"] for each in nats["detail"]] == ["w1", "<unk>", "w2", "<eos>"]
    assert sum(each["log_prob"] for each in nats["detail"]) == pytest.approx(nats["log_prob"])
    cells = w2v("score", run, "--tokens", "--base", "2", stdin=line).stdout.rstrip("\n").split("\t")
    assert (cells[1:3], cells[3::2]) == (["4", "1"], ["w1", "<unk>", "w2", "<eos>"])
    assert float(cells[0]) == pytest.approx(nats["log_prob"] / math.log(2), abs=1e-5)
    assert sum(map(float, cells[4::2])) == pytest.approx(float(cells[0]), abs=1e-5)
    tens = w2v("score", run, "--base", "10", stdin=line).stdout.split("\t")[0]
    assert float(tens) == pytest.approx(nats["log_prob"] / math.log(10), abs=1e-5)


def test_nothing_in_nothing_out(w2v: Run, run: str) -> None:
    done = w2v("score", run, stdin="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert w2v("score", run, stdin="\n").stdout.count("\n") == 1


def test_somebody_who_waits_for_each_score_gets_it(run: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "w2v", "score", run, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(),
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin and process.stdout
        for line, tokens in (("w1 w2", "3"), ("", "1")):
            process.stdin.write(line + "\n")
            assert process.stdout.readline().split("\t")[1] == tokens


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["run", "text.txt"], "", "the lines come from stdin: w2v score run < text.txt"),
        (["run", "--base", "1"], "", "--base 1 is not e or a number above 1"),
        (["run", "--base", "x"], "", "--base x is not e or a number above 1"),
        (["v.bin"], "w1\n", "v.bin is no run directory"),
        (["run"], b"\0\1\2\3\n" * 50, "standard input looks like a binary file"),
    ],
)
def test_score_input_errors(
    w2v: Run, run: str, model: str, arguments: list[str], stdin: str | bytes, message: str
) -> None:
    done = w2v("score", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


# --------------------------------------------------------------------------------------------------
# generate


@pytest.mark.parametrize("loss", LAYERS)
def test_a_seed_is_a_text(w2v: Run, templates: Path, loss: str) -> None:
    folder = str(templates / loss)
    first = w2v("generate", folder, "w1 w2", "--words", "30")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("w1 w2") and "<" not in first.stdout
    assert w2v("generate", folder, "w1 w2", "--words", "30", "--seed", "1").stdout == first.stdout
    assert w2v("generate", folder, "w1 w2", "--words", "30", "--seed", "2").stdout != first.stdout
    assert w2v("generate", folder, "-", "--words", "30", stdin="w1 w2\n").stdout == first.stdout


def test_words_are_counted_with_line_ends(w2v: Run, run: str) -> None:
    done = json.loads(w2v("generate", run, "--words", "200", "--json").stdout)
    assert (done["words"], done["prompt"], done["seed"]) == (200, "", 1)
    assert len(done["text"].split()) + done["text"].count("\n") == 200
    assert done["text"].count("\n") > 0
    text = w2v("generate", run, "--words", "200").stdout
    assert text.removesuffix("\n") == done["text"].removesuffix("\n")


def test_several_texts_are_those_of_the_next_seeds(w2v: Run, run: str) -> None:
    rows = w2v("generate", run, "w3", "--number", "3", "--seed", "5", "--json").stdout.splitlines()
    for number, row in enumerate(rows):
        assert row + "\n" == w2v("generate", run, "w3", "--seed", str(5 + number), "--json").stdout
    texts = [w2v("generate", run, "w3", "--seed", str(seed)).stdout for seed in (5, 6)]
    assert w2v("generate", run, "w3", "--number", "2", "--seed", "5").stdout == "\n".join(texts)


@pytest.mark.parametrize("loss", LAYERS)
def test_the_most_probable_words(w2v: Run, templates: Path, loss: str) -> None:
    folder = str(templates / loss)
    greedy = w2v("generate", folder, "w1", "--words", "12", "--top-k", "1", "--unk").stdout
    assert (
        w2v(
            "generate", folder, "w1", "--words", "12", "--temperature", "0", "--unk", "--seed", "9"
        ).stdout
        == greedy
    )
    saved = load_language_model(folder)
    vocabulary, text = saved.vocabulary, [int(saved.vocabulary.encode("w1")[0])]
    for _ in range(12):
        ids = torch.tensor([vocabulary.eos, *text])[:, None]
        hidden, _ = saved.network.hidden(ids, saved.network.start(1))
        text.append(int(saved.network.output.log_prob(hidden[-1])[0].argmax()))
    assert greedy.removesuffix("\n") == vocabulary.decode(text).removesuffix("\n")


def test_unknown_words_of_the_prompt(w2v: Run, run: str) -> None:
    done = w2v("generate", run, "w1 nowhere w2 nowhere", "--words", "3")
    assert done.returncode == 0
    assert done.stderr == "warning: the model does not know 'nowhere': read as <unk>\n"
    assert done.stdout.startswith("w1 <unk> w2 <unk>")


def test_unk_only_if_allowed(w2v: Run, templates: Path, tmp_path: Path) -> None:
    """In this model every second word is <unk>."""
    (tmp_path / "corpus.txt").write_text(
        "a b c d e f g h\n" * 3 + "".join(f"r{i} " for i in range(60)) + "\n"
    )
    runs.write_run(tmp_path / "rare", tmp_path / "corpus.txt", min_count=3, dim=4)
    assert (
        "<unk>" in w2v("generate", "rare", "--unk", "--words", "200", "--temperature", "3").stdout
    )
    assert "<unk>" not in w2v("generate", "rare", "--words", "200", "--temperature", "3").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--temperature", "-1"], "invalid value for '--temperature'"),
        (["run", "--temperature", "inf"], "--temperature inf is not a number of 0 or more"),
        (["run", "--top-p", "0"], "--top-p 0 is out of range"),
        (["run", "--top-p", "1.5"], "--top-p 1.5 is out of range"),
        (["run", "--top-k", "0"], "invalid value for '--top-k'"),
        (["run", "--words", "0"], "invalid value for '--words'"),
        (["run", "-"], "the prompt on stdin is empty"),
        (["v.bin"], "v.bin is no run directory"),
    ],
)
def test_generate_input_errors(
    w2v: Run, run: str, model: str, arguments: list[str], message: str
) -> None:
    done = w2v("generate", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_diverged_parameters_are_a_failure_of_the_run(w2v: Run, run: str, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    arrays = load_file(tmp_path / "run" / "model.safetensors")
    arrays["input.weight"][:] = np.nan
    save_file(arrays, tmp_path / "run" / "model.safetensors")
    for verb in (["eval", run, "--text", "-"], ["score", run], ["generate", run]):
        done = w2v(*verb, stdin="w1 w2\n")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "train it again" in done.stderr


# --------------------------------------------------------------------------------------------------
# the verbs for word vectors on a language model's embeddings


def test_embeddings_of_a_language_model(w2v: Run, run: str, tmp_path: Path) -> None:
    done = w2v("nearest", run, "w1", "-k", "3")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 3)
    facts = json.loads(w2v("info", run, "--json").stdout)
    assert (facts["dim"], facts["settings"]["model"]) == (8, "lm")
    assert w2v("export", run, "-o", "e.txt").returncode == 0
    lines = (tmp_path / "e.txt").read_text().splitlines()
    assert lines[0] == f"{facts['vectors']} 8" and any(line.startswith("<eos> ") for line in lines)
    (tmp_path / "q.txt").write_text(": s\nw1 w2 w3 w4\n")
    assert json.loads(w2v("eval", run, "q.txt", "--json").stdout)["analogies"]["q"]["covered"] == 1


def test_the_help_says_how_tokens_are_counted(w2v: Run) -> None:
    text = re.sub(r"\s+", " ", w2v("eval", "--help").stdout)
    for fact in ("every token scored once", "<eos>, and is counted", "is scored as <unk>"):
        assert fact in text
