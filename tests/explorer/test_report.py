"""The report: what it says of runs of all kinds, and that it is inert."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import w2v
from tests.explorer.browser import Browser
from tests.explorer.conftest import Called
from w2v.errors import InputError

LINES = ["the cat sat on the mat while a dog ran", "a king and a queen sat on a throne"] * 300
QUESTIONS = ": family\nking queen cat dog\n: gram1-odd\nking throne cat mat\nking queen x y\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two losses with validation, and one of a language model."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "corpus.txt").write_text("\n".join(LINES))
    text = str(folder / "corpus.txt")
    for loss in ("neg", "nce"):
        options = {"dim": 8, "epochs": 3, "threads": 1, "valid": text, "min_count": 1}
        w2v.train(text, loss=loss, output=folder / loss, **options)
    w2v.train(text, model="lm", dim=8, epochs=2, valid=text, output=folder / "lm")
    (folder / "set.txt").write_text(QUESTIONS)
    return folder


def shown(page: Path) -> str:
    """The page without its script and style, as text."""
    body = page.read_text().partition("<main>")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def test_a_report_of_one_run(folder: Path, tmp_path: Path) -> None:
    run, page = folder / "neg", tmp_path / "r.html"
    w2v.report(run, page)
    text, summary = shown(page), json.loads((run / "summary.json").read_text())
    assert f"{summary['final_loss']:.4f}" in text and f"{summary['validation']['loss']:.4f}" in text
    for title in ("Training loss", "Learning rate", "Validation", "Speed", "Zipf", "Settings"):
        assert title in text
    for name in ("min_count", "negatives", "threads"):
        assert name in text
    assert str(page.read_text()).count("<svg") >= 5


def test_runs_beside_each_other(folder: Path, tmp_path: Path) -> None:
    page, runs = tmp_path / "r.html", [folder / "neg", folder / "nce"]
    w2v.report(runs, page, questions=folder / "set.txt", title="Two losses")
    text, html = shown(page), page.read_text()
    assert "<title>Two losses</title>" in html
    assert "settings are the same in all runs" in text
    for part in ("family", "gram1-odd", "semantic", "syntactic", "total"):
        assert part in text
    results = [w2v.load(run).evaluate(folder / "set.txt") for run in runs]
    for result in results:
        assert f"{100 * result.accuracy:.1f} %" in text
        low, high = result.interval()
        assert f"{100 * low:.1f} – {100 * high:.1f}" in text
        assert f"{result.tally().correct} of {result.covered}" in text
    loss = html.partition("<figcaption>Training loss")[2].partition("</svg>")[0]
    assert {*re.findall(r'class="(?:line|mark) (s\d)"', loss)} == {"s0", "s1"}


def test_sets_whose_files_have_one_name_are_both_scored(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "set.txt"
    copy.write_text((folder / "set.txt").read_text())
    w2v.report(folder / "neg", tmp_path / "r.html", questions=[folder / "set.txt", copy])
    assert str(copy) in shown(tmp_path / "r.html")


def test_a_language_model_has_a_perplexity(folder: Path, tmp_path: Path) -> None:
    w2v.report([folder / "lm"], tmp_path / "r.html")
    text = shown(tmp_path / "r.html")
    summary = json.loads((folder / "lm" / "summary.json").read_text())
    assert f"{summary['validation']['perplexity']:.2f}" in text
    assert "tokens processed" in text and "Scores" not in text
    w2v.report([folder / "lm", folder / "neg"], tmp_path / "both.html")
    assert "Scores" in shown(tmp_path / "both.html")


def test_a_run_that_has_not_ended(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    shutil.copytree(folder / "neg", run)
    for name in ("summary.json", "vectors.npy"):
        (run / name).unlink()
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"seconds": 1.0, "fraction"')
    w2v.report([run, folder / "neg"], tmp_path / "r.html")
    assert "unfinished" in shown(tmp_path / "r.html")
    (run / "metrics.jsonl").write_bytes(
        b"[]\n\xff\n{}\nnull\n" + b'{"fraction": 1, "words": "x"}\n'
    )
    w2v.report(run, tmp_path / "r.html")
    (run / "metrics.jsonl").unlink()
    w2v.report(run, tmp_path / "r.html")
    assert "no run has metrics" in shown(tmp_path / "r.html").lower()


def test_a_summary_that_says_something_else(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "odd"
    shutil.copytree(folder / "neg", run)
    odd = {"epochs_done": "three", "epochs": [3], "seconds": 7, "words_per_second": True}
    odd |= {"words": {"read": "many", "left_out": {}}, "validation": ["x"], "final_loss": 10**400}
    (run / "summary.json").write_text(json.dumps(odd))
    lines = ((0.1, "1" + 400 * "0", 1, "0.5"), (0.2, 5, 1, "1e308"), (0.3, 6, 2, "-1e308"))
    form = '{"fraction": %s, "words": %s, "seconds": %s, "loss": %s}\n'
    (run / "metrics.jsonl").write_text("".join(form % line for line in lines))
    w2v.report(run, tmp_path / "r.html")
    assert "n/a of n/a" in shown(tmp_path / "r.html")


def test_epochs_that_have_lines_of_their_own(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "neg", run)
    w2v.report(run, tmp_path / "one.html")
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"kind": "epoch", "epoch": 3, "loss": 99.0, "words": 5, "predictions": 3}\n')
    w2v.report(run, tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_numbers_just_below_a_million(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "neg", run)
    line = '{"fraction": %s, "words": %d, "seconds": %d, "loss": 2.5, "lr": 0.01}\n'
    counts = ((0.5, 999_400, 2), (1, 999_900, 4))
    (run / "metrics.jsonl").write_text("".join(line % each for each in counts))
    w2v.report(run, tmp_path / "r.html")
    text = shown(tmp_path / "r.html")
    assert "at words processed 999 k" in text and "at words processed 1 M" in text


def test_words_left_out_are_part_of_the_text(tmp_path: Path) -> None:
    lines = [["a", "b", "a", f"rare{i}"] for i in range(20)]
    with pytest.warns(UserWarning, match="25 % of the text"):
        w2v.train(lines, dim=4, epochs=1, threads=1, sample=0, output=tmp_path / "run")
    w2v.report(tmp_path / "run", tmp_path / "r.html")
    text = shown(tmp_path / "r.html")
    assert "% of the text 50 at rank of the word 1" in text and "25.0 %" in text
    assert "% of the text 75 at rank of the word 2" in text


def test_names_of_runs_and_sets_are_only_text(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "<img src=x onerror=alert(1)>"
    shutil.copytree(folder / "neg", run)
    (tmp_path / "q.txt").write_text(': <script>alert("1")</script>\n' + QUESTIONS)
    w2v.report([run], tmp_path / "r.html", questions=[tmp_path / "q.txt"])
    html = (tmp_path / "r.html").read_text()
    assert "<img" not in html and html.count("<script") == 1
    assert "default-src 'none'" in html


def test_what_is_no_run_is_refused(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    for runs, named in (
        ([tmp_path / "missing"], "missing"),
        ([folder], str(folder)),
        ([folder / "set.txt"], "set.txt"),
        ([folder / "neg"] * 2, "twice"),
        ([], "0 runs"),
    ):
        with pytest.raises(InputError, match=re.escape(named)):
            w2v.report(runs, page)
    with pytest.raises(InputError, match=r"r\.pdf"):
        w2v.report(folder / "neg", tmp_path / "r.pdf")
    assert not page.exists()


def test_report_on_the_command_line(folder: Path, tmp_path: Path, called: Called) -> None:
    runs = [folder / "neg", folder / "nce"]
    done = called("report", *runs, "-o", "r.html", "--questions", folder / "set.txt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "r.html\n", "")
    assert called("report", *runs, "-o", "r.html").returncode == 2
    piped = called("report", *runs, "-o", "-", "--questions", folder / "set.txt")
    assert piped.stdout == (tmp_path / "r.html").read_text()
    missing = called("report", "nowhere", "-o", "s.html")
    assert missing.returncode == 2 and "nowhere" in missing.stderr and not missing.stdout


def test_a_report_in_a_browser(window: Browser, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    w2v.report([folder / "neg", folder / "nce"], page)
    for width in (1400, 700):
        for dark in (False, True):
            window.problems.clear()
            window.requests.clear()
            window.open(page, width, 900, dark=dark)
            assert window.run("document.documentElement.scrollWidth <= innerWidth")
            for chart in window.run(
                "[...document.querySelectorAll('svg')].map(e => e.clientWidth)"
            ):
                assert 250 < chart <= 760
            before = window.run("getComputedStyle(document.body).backgroundColor")
            window.click_on("#theme")
            assert window.run("getComputedStyle(document.body).backgroundColor") != before
            assert window.problems == [] and window.requests == [page.as_uri()]
