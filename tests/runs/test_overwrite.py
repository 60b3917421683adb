"""What --overwrite replaces, spares and refuses to remove, and two runs that choose one name."""

import json
import os
import stat
import threading

import pytest

from tests.runs.test_output import COUNTS, LINES, RUN_FILES, content, names
from w2v.errors import InputError
from w2v.system.files import check_writable, clean_up
from w2v.training.report import SilentReporter
from w2v.vectors import load_vectors

NOT_REMOVED = [
    ("notes", r"`output` notes exists and is not a run directory"),
    ("file", r"`output` file exists and is not a run directory"),
    ("folder.txt", r"`output` folder\.txt is a folder, but its name asks for a vector file"),
    ("corpus.txt", r"`output` corpus\.txt would remove the corpus"),
    ("./notes/../corpus.txt", r"would remove the corpus"),
    ("link.txt", r"would remove the corpus"),
    ("data", r"`output` data would remove the corpus"),
    (".", r"cannot be replaced as a whole"),
]


@pytest.mark.parametrize(("output", "message"), NOT_REMOVED)
def test_what_overwrite_refuses_to_remove(train, folder, output, message):
    for name in ("notes", "folder.txt", "data"):
        (folder / name).mkdir()
        (folder / name / "mine").write_text("precious")
    (folder / "data" / "format_version").touch()
    (folder / "file").write_text("precious")
    (folder / "corpus.txt").write_text("a b\n" * 30)
    (folder / "data" / "more.txt").write_text("a b\n" * 30)
    (folder / "link.txt").symlink_to("corpus.txt")
    before = content(folder)
    with pytest.raises(InputError, match=message):
        train(["corpus.txt", "data/more.txt"], output=output, overwrite="true")
    assert content(folder) == before


@pytest.mark.skipif(not os.path.ismount("/proc"), reason="needs a mount point")
def test_a_mount_point_cannot_be_replaced(train):
    with pytest.raises(InputError, match="name a run directory inside it"):
        train(["no-such-corpus.txt"], output="/proc", overwrite="true")


def test_overwrite_replaces_a_run_as_a_whole(train, folder):
    old = content(train(LINES, output="model").path)
    (folder / "model" / "checkpoints").mkdir()
    (folder / "model" / "checkpoints" / "x").touch()
    trained = train(LINES, output="model", overwrite="true", seed=2)
    assert names(trained.path) == RUN_FILES
    assert content(trained.path)["vectors.npy"] != old["vectors.npy"]
    assert names(folder) == ["corpus.txt", "model"]


def test_overwrite_spares_files_that_no_run_wrote(train, folder):
    before = content(train(LINES, output="model").path)
    (folder / "model" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"`output` model holds 'notes.txt', which no run wrote"):
        train(LINES, output="model", overwrite="true")
    assert content(folder / "model") == before | {"notes.txt": b"mine"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_pipe_is_no_output_of_a_run(train, folder):
    os.mkfifo(folder / "pipe.bin")
    with pytest.raises(InputError, match="is a device or a pipe"):
        train(LINES, output="pipe.bin", overwrite="true")
    assert stat.S_ISFIFO((folder / "pipe.bin").stat().st_mode)


def test_overwrite_takes_an_empty_folder_and_what_is_not_there(train, folder):
    (folder / "empty").mkdir()
    for name in ("empty", "new"):
        assert names(train(LINES, output=name, overwrite="true").path) == RUN_FILES
    assert names(folder) == ["corpus.txt", "empty", "new"]


def test_overwrite_of_a_vector_file(train, folder):
    (folder / "v.bin").write_bytes(b"old")
    train(LINES, output="v.bin", overwrite="true")
    assert list(load_vectors(folder / "v.bin").words) == list(COUNTS)
    assert names(folder) == ["corpus.txt", "v.bin"]


def test_two_runs_at_once_with_the_same_default_name_keep_both_results(train, folder):
    train(LINES, output="warm.npy")
    meeting = threading.Barrier(2, timeout=300)
    outputs: list[str] = []

    class Meeting(SilentReporter):
        def stage(self, text):
            if text.startswith("writing"):
                meeting.wait()

    def one(seed):
        outputs.append(train(["corpus.txt"], seed=seed, reporter=Meeting()).summary.output)

    threads = [threading.Thread(target=one, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outputs) == ["corpus-skip-gram-neg", "corpus-skip-gram-neg-2"]
    documents = [
        json.loads((folder / output / "summary.json").read_text()) for output in sorted(outputs)
    ]
    assert [document["output"] for document in documents] == sorted(outputs)
    assert sorted(document["seed"] for document in documents) == [1, 2]
    assert names(folder) == [
        "corpus-skip-gram-neg",
        "corpus-skip-gram-neg-2",
        "corpus.txt",
        "warm.npy",
        "warm.vocab.tsv",
    ]


def test_a_run_that_cleans_a_place_up_does_not_stop_another_that_looks_at_it(folder):
    done = threading.Event()

    def clean():
        while not done.is_set():
            clean_up(folder / "model")

    cleaner = threading.Thread(target=clean)
    cleaner.start()
    try:
        for _ in range(3000):
            check_writable(folder / "model", overwrite=False)
    finally:
        done.set()
        cleaner.join()


def test_when_another_run_takes_a_chosen_name_meanwhile_both_results_are_kept(train, folder):
    output, warnings = "v.bin", []

    class Intruder(SilentReporter):
        def stage(self, text):
            if text.startswith("writing"):
                (folder / output).write_text("theirs")

        def warn(self, text):
            warnings.append(text)

    summary = train(LINES, output=output, reporter=Intruder()).summary
    assert (folder / output).read_text() == "theirs"
    assert summary.output == "v-2.bin"
    assert load_vectors(folder / summary.output).words
    assert warnings == [
        f"{output} was taken by another run in the meantime; the result is in {summary.output}"
    ]
