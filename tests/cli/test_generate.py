"""`w2v generate`, and the verbs for the embeddings of a language model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.language_runs import write_run
from w2v.lm.saved import load_language_model

from .conftest import Run
from .language_models import LAYERS

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
    write_run(tmp_path / "rare", tmp_path / "corpus.txt", min_count=3, dim=4)
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
        (["v.bin"], "v.bin is not a run directory"),
    ],
)
def test_generate_input_errors(
    w2v: Run, run: str, model: str, arguments: list[str], message: str
) -> None:
    done = w2v("generate", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_zero_bytes_in_a_prompt_are_told(w2v: Run, run: str) -> None:
    prompt = "w1 w2 w3 w1 w2 w3 w1"
    plain = w2v("generate", run, "-", "--words", "5", stdin=prompt)
    done = w2v("generate", run, "-", "--words", "5", stdin=prompt.replace(" w3 w1 ", "\0w3 w1 "))
    assert (plain.stderr, done.returncode, done.stdout) == ("", 0, plain.stdout)
    assert done.stderr.count("\n") == 1 and "NUL" in done.stderr


def test_diverged_parameters_are_a_failure_of_the_run(w2v: Run, run: str, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    arrays = load_file(tmp_path / "run" / "model.safetensors")
    arrays["input.weight"][:] = np.nan
    save_file(arrays, tmp_path / "run" / "model.safetensors")
    for verb in (["eval", run, "--text", "-"], ["score", run], ["generate", run]):
        done = w2v(*verb, stdin="w1 w2\n")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "train it again" in done.stderr


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
    for fact in ("every token is scored once", "<eos>, and counts", "scored as <unk>"):
        assert fact in text
