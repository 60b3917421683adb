"""Who comes from word2vec.c, fastText, gensim or PyTorch's examples is told what the thing is
called here; who forgets `--` before a word, or has not installed a package, is told that."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import w2v as package
from tests.several import several
from w2v.settings.elsewhere import NAMES_OF_SETTINGS, NAMES_OF_VALUES
from w2v.settings.groups import all_settings

from .conftest import Run, environment


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("--size", "--dim"),
        ("--vector-size", "--dim"),
        ("--vector_size", "--dim"),
        ("--layer1-size", "--dim"),
        ("--emsize", "--dim"),
        ("--iter", "--epochs"),
        ("--epoch", "--epochs"),
        ("--alpha", "--lr"),
        ("--learning_rate", "--lr"),
        ("--workers", "--threads"),
        ("--thread", "--threads"),
        ("--ws", "--window"),
        ("--hs", "--loss hsigmoid"),
        ("--sg", "--model skip-gram"),
        ("--cbow", "--model cbow"),
        ("--negative", "--negatives"),
        ("--neg", "--negatives"),
        ("--maxn", "--subwords"),
        ("--bucket", "--buckets"),
        ("--min_count", "--min-count"),
        ("--minCount", "--min-count"),
        ("--ns-exponent", "--noise-power"),
        ("--max_vocab_size", "--max-vocab"),
        ("--input", "CORPUS"),
        ("--nlayers", "--layers"),
        ("--cuda", "--device cuda"),
        ("-size", "--dim"),
        ("-hs", "--loss hsigmoid"),
        ("-output", "--output"),
        ("-window", "--window"),
        ("-min-count", "--min-count"),
    ],
)
def test_options_of_others(w2v: Run, theirs: str, ours: str) -> None:
    done = w2v("train", "corpus.txt", theirs, "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"w2v train: no such option {theirs}; did you mean {ours}?\n"


@pytest.mark.parametrize("theirs", ["--lrUpdateRate", "--wordNgrams", "--binary"])
def test_what_is_not_here_is_no_misspelling(w2v: Run, theirs: str) -> None:
    done = w2v("train", "corpus.txt", theirs, "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert theirs in done.stderr and "did you mean" not in done.stderr


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("hierarchical-softmax", "hsigmoid"),
        ("hierarchical_softmax", "hsigmoid"),
        ("hs", "hsigmoid"),
        ("ns", "neg"),
        ("negative-sampling", "neg"),
        ("SGNS", "neg"),
        ("noise-contrastive-estimation", "nce"),
        ("cross-entropy", "softmax"),
        ("adaptive", "adaptive-softmax"),
        ("sampled_softmax", "sampled-softmax"),
        ("AMSoftmax", "am-softmax"),
    ],
)
def test_losses_of_others(w2v: Run, theirs: str, ours: str) -> None:
    for arguments in (
        ["train", "corpus.txt", "--loss", theirs],
        ["losses", theirs],
        ["compare", "corpus.txt", "--losses", f"{theirs},softmax"],
    ):
        done = w2v(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert theirs in done.stderr and f"did you mean {ours}?" in done.stderr
    with pytest.raises(package.InputError, match=f"did you mean {ours}"):
        package.train([["a", "b"]], loss=theirs)


def test_keywords_and_keys_of_others(w2v: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("vector_size: 5\nsg: 1\n")
    done = w2v("train", "corpus.txt", "--config", "c.yaml")
    assert done.returncode == 2
    assert "'vector_size' in c.yaml (did you mean 'dim'?)" in done.stderr
    assert "'sg' in c.yaml (did you mean 'model skip_gram'?)" in done.stderr.replace("p-g", "p_g")
    with pytest.raises(package.InputError, match=r"'workers' .did you mean 'threads'"):
        package.train([["a", "b"]], workers=3)  # type: ignore[call-arg]


def test_every_name_leads_to_one_that_exists() -> None:
    known = {*all_settings(), "?"}
    assert {name.partition(" ")[0] for name in NAMES_OF_SETTINGS.values()} <= known
    choices = {each for setting in all_settings().values() for each in setting.choices or ()}
    assert set(NAMES_OF_VALUES.values()) <= choices


def test_output_has_a_short_option(w2v: Run, corpus: str, tmp_path: Path) -> None:
    done = w2v("train", corpus, "--dim", "4", "--epochs", "1", "-o", "short.txt", "-q")
    assert (done.returncode, done.stdout) == (0, "short.txt\n")
    assert (tmp_path / "short.txt").is_file()


@pytest.mark.parametrize("word", ["-lrb-", "-5", "- king", "--dash"])
def test_words_that_begin_with_a_hyphen(w2v: Run, tmp_path: Path, word: str) -> None:
    name = word.replace(" ", "")
    (tmp_path / "v.txt").write_text(f"3 2\n{name} 1 0\nking 1 1\nx 0 1\n")
    done = w2v("nearest", "v.txt", word)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"-- {shlex.quote(word) if ' ' in word else word}" in done.stderr
    assert "-- -lrb-" in w2v("nearest", "--help").stdout
    if " " not in word:
        done = w2v("nearest", "v.txt", "-k", "1", "--", word)
        assert (done.returncode, done.stdout.split("\t")[:2]) == (0, [word, "king"])


@pytest.mark.parametrize(
    ("module", "needs", "does_without"),
    [
        ("torch", ["train corpus.txt --loss softmax", "train corpus.txt --model lm"], "train"),
        ("tokenizers", ["train corpus.txt --model lm --subwords 300"], "train"),
        ("pyarrow", ["vocab corpus.txt"], "nearest"),
        ("numba", ["train corpus.txt"], "vocab"),
        ("safetensors", ["train corpus.txt --dim 4 --epochs 1 -o v.safetensors"], "train"),
        ("yaml", ["train --config c.yaml"], "info"),
        ("numpy", ["nearest v.bin king"], "losses"),
    ],
)
def test_a_package_that_is_not_installed(
    corpus: str, model: str, tmp_path: Path, module: str, needs: list[str], does_without: str
) -> None:
    (tmp_path / "c.yaml").write_text("corpus: corpus.txt\n")
    fine = {
        "train": "train corpus.txt -q --dim 4 --epochs 1 --threads 1 -o o.txt",
        "vocab": "vocab corpus.txt",
        "nearest": "nearest v.bin king",
        "info": "info v.bin",
        "losses": "losses",
    }
    asked = [f"{each} -q" if "train" in each else each for each in needs]
    asked.append(fine[does_without])
    missing = f"import sys; sys.modules[{module!r}] = None"
    for number, done in enumerate(several(missing, [each.split() for each in asked], tmp_path)):
        if number == len(needs):
            assert done.returncode == 0 and done.stdout, done
            continue
        assert (done.returncode, done.stdout) == (1, ""), done
        (line,) = done.stderr.splitlines()
        assert module in line and "pip install" in line and "internal" not in line


def test_without_typer(tmp_path: Path) -> None:
    code = "import sys; sys.modules['typer'] = None; from w2v.__main__ import run; run()"
    options = {"cwd": tmp_path, "env": environment(), "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", code, "losses"], **options)
    assert (done.returncode, done.stdout) == (1, "") and "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert "typer" in line and "pip install" in line
