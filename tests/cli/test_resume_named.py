"""What cannot be gone on with is named by the option."""

from .conftest import Run


def test_no_such_run(w2v: Run) -> None:
    done = w2v("train", "--resume", "nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("w2v train: --resume nowhere does not exist")
