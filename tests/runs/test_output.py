"""Where results go: names, formats, the run directory, `overwrite`, and disks and folders that
refuse."""

import errno
import json
import math
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import w2v.runs.directory
from w2v.errors import InputError, RunError
from w2v.runs.output import STEM_BYTES, default_name, free_path
from w2v.settings.build import build_config
from w2v.vectors import load_vectors

LINES = [["a", "b", "c"], ["b", "a"], ["c", "ü", "a", "b"]] * 40
RUN_FILES = [
    "config.yaml",
    "format_version",
    "metrics.jsonl",
    "summary.json",
    "vectors.npy",
    "vocab.tsv",
]
COUNTS = {"a": 120, "b": 120, "c": 80, "ü": 40}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(path: Path) -> dict[str, bytes]:
    """All files below a folder, or one file."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_run_directory(train):
    trained = train(LINES, loss="nce", seed=5)
    path = trained.path
    assert names(path) == RUN_FILES
    assert (path / "format_version").read_text() == "1\n"
    vocabulary = [
        line.split("\t") for line in (path / "vocab.tsv").read_text(encoding="utf-8").splitlines()
    ]
    assert vocabulary == [[word, str(count)] for word, count in COUNTS.items()]
    matrix = np.load(path / "vectors.npy")
    assert (matrix.shape, matrix.dtype, matrix.flags.c_contiguous) == ((4, 16), np.float32, True)
    assert trained.vectors.words == list(COUNTS)
    assert trained.vectors.counts is not None
    assert trained.vectors.counts.tolist() == list(COUNTS.values())
    metrics = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert metrics[-1]["fraction"] == 1
    assert metrics[-1]["words"] == 2 * sum(map(len, LINES))
    assert set(metrics[-1]) == {
        "seconds",
        "epoch",
        "epoch_loss",
        "fraction",
        "words",
        "trained",
        "subsampled",
        "left_out",
        "words_per_second",
        "lr",
        "predictions",
        "loss",
    }
    stored, told = (
        json.loads((path / "summary.json").read_text(encoding="utf-8")),
        trained.summary.as_dict(),
    )
    assert stored.pop("seconds")["training"] == told.pop("seconds")["training"]
    assert told.pop("checkpoint") is None
    assert stored == told
    assert told["output"] == path.name == "corpus-skip-gram-nce"
    for name in RUN_FILES:
        assert stat.S_IMODE((path / name).stat().st_mode) == stat.S_IMODE(
            (path.parent / "corpus.txt").stat().st_mode
        )


@pytest.mark.parametrize("loss", ["neg", "nce", "hsigmoid"])
def test_config_yaml_repeats_the_run(train, loss):
    first = train(LINES, loss=loss, seed=11, lr=0.03, sample=0.05, window=2)
    again = train([], yaml=first.path / "config.yaml", output="again")
    assert again.path.name == "again"
    assert content(again.path)["vectors.npy"] == content(first.path)["vectors.npy"]
    assert content(again.path)["config.yaml"] == content(first.path)["config.yaml"]


@pytest.mark.parametrize(
    "name", ["v.txt", "v.vec", "v.bin", "v.npy", "v.glove", "v.glove.txt", "V.TXT", "sub/v.bin"]
)
def test_vector_files(train, folder, name):
    expected = train(LINES)
    (folder / "sub").mkdir()
    before = names(folder)
    trained = train(LINES, output=name)
    assert trained.summary.output == name
    vectors = load_vectors(folder / name)
    assert list(vectors.words) == list(COUNTS)
    assert np.array(vectors.matrix).tobytes() == expected.matrix.tobytes()
    new = set(names(folder)) - set(before) | {f"sub/{file}" for file in names(folder / "sub")}
    assert new == ({name, "v.vocab.tsv"} if name == "v.npy" else {name})


def test_default_names_are_numbered(train, folder):
    (folder / "corpus-skip-gram-neg-2").symlink_to("nowhere")
    (folder / "corpus-skip-gram-neg-3").touch()
    outputs = [train(LINES).summary.output for _ in range(3)]
    assert outputs == [f"corpus-skip-gram-neg{suffix}" for suffix in ("", "-4", "-5")]
    contents = [content(folder / output) for output in outputs]
    assert contents[0]["vectors.npy"] == contents[1]["vectors.npy"]
    assert [json.loads(files["summary.json"])["output"] for files in contents] == outputs


@pytest.mark.parametrize(
    ("corpus", "expected"),
    [
        ("text.txt", "text"),
        ("data/text.txt.gz", "text"),
        ("wiki.en.txt.zst", "wiki.en"),
        ("-", "stdin"),
        ("a b (c).txt", "a-b-c"),
        ("*.txt", "corpus"),
        ("/", "corpus"),
        ("text", "text"),
        ("x.jsonl", "x"),
        (".hidden", "hidden"),
        ("日本.txt", "日本"),
        ("caf\udce9.txt", "caf"),
        ("x" * 300, "x" * STEM_BYTES),
        ("é" * 200, "é" * (STEM_BYTES // 2)),
        ("日" * 200, "日" * (STEM_BYTES // 3)),
    ],
)
def test_default_name(corpus, expected):
    assert str(default_name(build_config({"corpus": (corpus,)}))) == f"{expected}-skip-gram-neg"


def test_the_folder_names_a_corpus_of_many_files(folder):
    assert str(default_name(build_config({"corpus": (".", "other.txt")}))) == "work-skip-gram-neg"


def test_free_path(tmp_path):
    assert free_path(tmp_path / "x") == tmp_path / "x"
    for name in ("x", "x-2"):
        (tmp_path / name).mkdir()
    assert free_path(tmp_path / "x") == tmp_path / "x-3"


def test_names_that_are_not_utf8(train, folder):
    for name in ("run\udce9", "caf\udce9.txt"):
        try:
            (folder / name).touch()
        except (OSError, UnicodeEncodeError):
            pytest.skip("this file system takes only UTF-8 names")
        (folder / name).unlink()
    train(LINES)
    os.rename("corpus.txt", "caf\udce9.txt")
    trained = train(["caf\udce9.txt"], output="run\udce9")
    assert json.loads((trained.path / "summary.json").read_bytes())["output"] == "run\udce9"
    again = train([], yaml=trained.path / "config.yaml", output="again")
    assert again.matrix.tobytes() == trained.matrix.tobytes()


REFUSED = [
    ("missing/model", r"folder missing does not exist; create it first"),
    ("missing/v.txt", r"folder missing does not exist"),
    ("corpus.txt/model", r"folder corpus\.txt is not a folder"),
    ("", r"`output`"),
    ("-", r"`output` -: give a run directory, or a file ending in \.txt"),
    (".", r"`output` \. cannot be replaced as a whole"),
    ("..", r"`output` \.\. cannot be replaced as a whole"),
    ("/", r"`output` / cannot be replaced as a whole"),
    ("taken", r"`output` taken exists already: .*`overwrite`"),
    ("taken.txt", r"`output` taken\.txt exists already: .*`overwrite`"),
    ("v.csv", r"`output` v\.csv is named like a file"),
    ("v.npy.gz", r"`output` v\.npy\.gz is named like a file"),
    ("V.JSON", r"`output` V\.JSON is named like a file"),
    ("x" * 300, r"File name too long"),
    ("v.npy", r"`output` v\.vocab\.tsv exists already"),
]


@pytest.mark.parametrize(("output", "message"), REFUSED)
def test_refused_before_the_corpus_is_read(train, folder, output, message):
    (folder / "corpus.txt").touch()
    (folder / "taken").mkdir()
    for name in ("taken.txt", "v.vocab.tsv"):
        (folder / name).touch()
    before = names(folder)
    with pytest.raises(InputError, match=message):
        train(["no-such-corpus.txt"], output=output)
    assert names(folder) == before


@pytest.mark.skipif(
    not os.path.isdir("/proc/self"), reason="needs a folder that nobody can write to"
)
def test_a_folder_that_cannot_be_written(train):
    with pytest.raises(InputError, match=r"`output` /proc/self/model cannot be written"):
        train(["no-such-corpus.txt"], output="/proc/self/model")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_working_directory_without_rights(train, folder):
    folder.chmod(0o555)
    with pytest.raises(InputError, match="Permission denied"):
        train(["no-such-corpus.txt"])


@pytest.mark.parametrize("output", ["model", "v.bin", "v.npy", "v.txt"])
@pytest.mark.parametrize("call", ["fsync", "chmod"])
def test_a_disk_that_is_full_in_the_end_keeps_what_was_there(
    train, folder, monkeypatch, output, call
):
    train(LINES, output=output)
    before = content(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, no_space)
        with pytest.raises(RunError, match="No space left on device"):
            train(LINES, output=output, overwrite="true", seed=2)
    assert content(folder) == before
    assert set(names(folder)) == {"corpus.txt", output} | (
        {"v.vocab.tsv"} if output == "v.npy" else set()
    )


@pytest.mark.parametrize("output", [None, "model"])
def test_a_disk_that_is_full_in_the_midst_of_a_run_directory(train, folder, monkeypatch, output):
    monkeypatch.setattr(w2v.runs.directory, "write_matrix", no_space)
    with pytest.raises(RunError, match=r"cannot write .*: No space left on device"):
        train(LINES, **({} if output is None else {"output": output}))
    assert names(folder) == ["corpus.txt"]


@pytest.mark.parametrize("small_disk", [32], indirect=True)
@pytest.mark.parametrize("output", ["model", "v.bin", "v.txt", "v.npy"])
def test_a_really_full_disk(train, small_disk, output):
    lines = [[f"w{i}", f"w{i + 1}"] for i in range(700)]  # 45 kB of vectors
    with pytest.raises(RunError, match="No space left on device"):
        train(lines, output=small_disk / output)
    assert names(small_disk) == []


@pytest.mark.parametrize("output", ["model", "v.npy"])
def test_vectors_that_are_no_numbers_are_not_written(train, folder, monkeypatch, output):
    from w2v.words.fused import HogwildEngine

    def spoil(self):
        self.vectors[3, 5] = np.inf

    monkeypatch.setattr(HogwildEngine, "initialise", spoil)
    blind = SimpleNamespace(**{**vars(math), "isfinite": lambda loss: True})
    monkeypatch.setattr("w2v.training.trainer.math", blind)
    with pytest.raises(
        RunError, match=r"NaN or infinity; try a smaller `lr`\. Nothing was written"
    ):
        train(LINES, output=output)
    assert names(folder) == ["corpus.txt"]
