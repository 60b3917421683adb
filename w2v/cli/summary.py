"""The messages of `w2v train` about a run that has ended."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from w2v.cli.interrupt import Stop
from w2v.cli.output import human_count, human_seconds, say

if TYPE_CHECKING:
    from w2v.settings.config import Config
    from w2v.training.report import RunSummary


def stopped(summary: RunSummary, stop: Stop) -> str:
    """Returns the message about a run that was stopped by a signal."""
    share = 100 * summary.epochs_done / summary.epochs
    epoch = min(summary.epochs, int(summary.epochs_done) + 1)
    how = (
        "Ctrl-C" if stop.signal_number == signal.SIGINT else signal.Signals(stop.signal_number).name
    )
    if not summary.interrupted:
        return f"w2v train: stopped by {how} after training; {summary.output} is complete"
    result, units = ("model", "tokens") if summary.model == "lm" else ("vectors", "words")
    saved = f"the {result} learnt so far {'is' if result == 'model' else 'are'} in {summary.output}"
    where = f"epoch {epoch} of {summary.epochs}, after {share:.1f} % of the {units}"
    resume = f"; resume with: w2v train --resume {summary.output}" if summary.checkpoint else ""
    return f"w2v train: stopped by {how} in {where}; {saved}{resume}"


def tell(summary: RunSummary, settings: Config) -> None:
    """Prints how many words were trained and left out, the loss, the speed and the validation."""
    words = summary.words
    times = (
        f"{human_seconds(summary.seconds.training)} training,"
        f" {human_seconds(summary.seconds.total)} in all"
    )
    if summary.model == "lm":
        _tell_language_model(summary, times)
        return
    say(
        f"{words.passed:,} words in {in_epochs(summary.epochs_done)} = {words.trained:,} trained"
        f" + {words.passed_left_out:,} {_why_left_out(settings)} + {words.subsampled:,} subsampled"
    )
    loss = "n/a" if summary.final_loss is None else f"{summary.final_loss:.4f}"
    say(
        f"{summary.vocabulary:,} words x {summary.dim}, {summary.loss}: loss {loss} nats per"
        f" prediction in the last epoch, {human_count(summary.words_per_second)} words/s, {times}"
    )
    if summary.validation is not None:
        last = summary.validation
        say(
            f"{last['file']}: loss {last['loss']:.4f} nats per prediction after epoch"
            f" {last['epoch']:.3g} ({last['predictions']:,} predictions; {last['oov']:,} of"
            f" {last['words']:,} words unknown)"
        )


def in_epochs(number: float) -> str:
    """Returns "1 epoch", "2.5 epochs"."""
    text = f"{number:,.0f}" if number == int(number) else f"{number:.3g}"
    return f"{text} {'epoch' if text == '1' else 'epochs'}"


def _why_left_out(settings: Config) -> str:
    corpus = settings.corpus
    if corpus.vocab is not None:
        return "not in --vocab"
    if settings.start.init is not None:  # the vocabulary may be that of the `init` run
        return "left out"
    return "below --min-count or beyond --max-vocab" if corpus.max_vocab else "below --min-count"


def _tell_language_model(summary: RunSummary, times: str) -> None:
    from w2v.losses.table import training_figure

    words = summary.words
    beyond = f", all but the last {words.remainder:,}" if words.remainder else ""
    say(
        f"{words.passed:,} tokens in {in_epochs(summary.epochs_done)}{beyond}, including line"
        f" ends; {words.left_out:,} of {words.read:,} tokens of the corpus are <unk>"
    )
    loss = "n/a" if summary.final_loss is None else f"{summary.final_loss:.4f}"
    say(
        f"{summary.vocabulary:,} tokens x {summary.dim}, {summary.loss}:"
        f" {training_figure(summary.loss)} {loss} per token in the last epoch,"
        f" {human_count(summary.words_per_second)} tokens/s, {times}"
    )
    if summary.validation is not None:
        best = summary.validation
        known = best.get("perplexity_without_oov")
        without = "" if known is None else f" (perplexity without these: {known:.2f})"
        say(
            f"{_relative(best['file'])}: perplexity {best['perplexity']:.2f}"
            f" ({best['bits_per_word']:.3f} bits per word) over {best['tokens']:,} tokens,"
            f" {best['oov']:,} of them <unk>{without}, after epoch {best['epoch']:.3g}"
        )


def _relative(path: str) -> str:
    """Returns a path, relative if it is below the working directory."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
