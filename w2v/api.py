"""The Python interface: `train`, `load`, `phrases`, `compare` and `report`. They take the settings
of the command line as keyword arguments.

    run = w2v.train("corpus.txt", loss="hsigmoid", dim=200)
    run.vectors.nearest("king - man + woman", k=5)

Nothing is printed except the progress bar (see `progress`): warnings are issued through `warnings`,
informational messages go to the logger "w2v".
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from threading import Event
from typing import TYPE_CHECKING, Any

from w2v.errors import InputError
from w2v.listening import Callback, Listener, soft_stop
from w2v.settings.config import IN_MEMORY
from w2v.settings.keywords import plain, with_keywords
from w2v.system import arguments
from w2v.system.files import check_working_directory, named
from w2v.trained import Run, carry_out, tell_notes

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from w2v.comparison.table import Compared
    from w2v.corpus.phrase_file import Phrases
    from w2v.lm.language_model import LanguageModel
    from w2v.settings.keywords import Keywords
    from w2v.vectors import WordVectors

PathLike = str | os.PathLike[str]


@with_keywords
def train(
    corpus: object = None,
    *,
    callbacks: Sequence[Callback] = (),
    progress: bool | str = "auto",
    use_cache: bool = True,
    config: PathLike | None = None,
    resume: PathLike | None = None,
    **settings: Unpack[Keywords],
) -> Run:
    """Trains word vectors or, with model="lm", a language model.

    Args:
        corpus: a path, several paths or a glob; or text in memory: an iterable of strings (lines),
            of lists of tokens or of lists of integers, a column of pandas, Polars or Arrow, or a
            table or `datasets.Dataset` with `column=`. It is read once, to its end, before training
            begins: an endless iterable is ended only by Ctrl-C. None: the one in `config`.
        callbacks: functions that are called in this thread with an Event (progress, epoch,
            validation, checkpoint), all of training itself. If one returns "stop", training ends
            and the result so far is kept; if one raises an exception, it is raised after that.
        progress: whether to show a progress bar on stderr; "auto": only if stderr is a terminal.
        use_cache: whether to read tokenized files from the cache and store them there.
        config: a YAML file of settings; keyword arguments take precedence over it.
        resume: a run, or its directory, to resume; only `epochs`, `threads` and `device` may be
            given with it.
        settings: dim=200, min_count=3, … A setting that has no effect on this run causes a
            UserWarning.

    Raises:
        InputError: a ValueError; the corpus, the output or a setting cannot be used.
        RunError: a RuntimeError, such as too little memory, a full disk or a loss that became NaN.
    """
    from w2v.corpus.memory import is_in_memory
    from w2v.settings.build import build_config
    from w2v.training.task import Context

    values = plain(settings)
    check_working_directory()
    lines = None
    if corpus is not None and is_in_memory(corpus):
        lines, values["corpus"] = corpus, (IN_MEMORY,)
    elif corpus is not None:
        values["corpus"] = _paths("corpus", corpus)
    if (output := values.get("output")) and Path(output).name not in ("", "..", "-"):
        values["output"] = os.path.join(os.getcwd(), output)  # a callback may change directory
    listener = Listener(callbacks, progress)
    if resume is not None:
        from w2v.runs.resume import resumed_config

        if isinstance(resume, Run):
            resume.warn_if_replaced()
        run = Path(os.getcwd(), named(arguments.path("resume", resume), "the run"))
        if lines is not None:
            del values["corpus"]
        settled = tell_notes(resumed_config(run, values), listener.note)
        context = Context(settled, use_cache=use_cache, resume=run, lines=lines)
        resumed = carry_out(context, listener)
        resumed._owner = resume
        return resumed
    temporary = None
    if values.get("output") is None:
        temporary = Path(tempfile.mkdtemp(prefix="w2v-"))
        values["output"] = str(temporary / "run")
    try:
        recipe = None if config is None else arguments.path("config", config)
        settled = tell_notes(build_config(values, recipe), listener.warn)  # settings without effect
        return carry_out(Context(settled, use_cache=use_cache, lines=lines), listener, temporary)
    except BaseException:
        if temporary is not None:
            rmtree(temporary, ignore_errors=True)
        raise


def load(path: PathLike) -> WordVectors | LanguageModel:
    """Loads the word vectors in a run directory, a vector file or a sentence-transformers folder,
    or the language model in a run directory.

    Raises:
        InputError: `path` holds neither, or is damaged.
    """
    name = named(arguments.path("path", path), "what to load")
    from w2v.vectors import load_vectors

    loaded: WordVectors | LanguageModel
    if is_language_model(name):
        from w2v.lm.saved import load_language_model

        loaded = load_language_model(name)
    else:
        loaded = load_vectors(name)
    for warning in loaded.warnings:
        warnings.warn(warning, stacklevel=2)
    return loaded


def is_language_model(path: Path) -> bool:
    """Returns whether `path` is the run directory of a language model."""
    from w2v.vectors import is_hub

    return (path / "model.safetensors").is_file() and not is_hub(path)


def phrases(
    corpus: object,
    *,
    min_count: int = 5,
    scoring: str = "word2phrase",
    threshold: float | None = None,
    passes: int = 1,
    connectors: str | Sequence[str] = (),
    **settings: Any,
) -> Phrases:
    """Finds the phrases of a corpus: words that occur together more often than by chance.
    `phrases(...).save("phrases.tsv")` writes the file that `train(phrases="phrases.tsv")` reads;
    `phrases(...).join(tokens)` joins the phrases in one line of tokens.

    Args:
        corpus: as in `train`.
        min_count: the fewest occurrences of a phrase.
        scoring: word2phrase, gensim or npmi; the formulas are in `w2v.corpus.phrases`.
        threshold: pairs that score above this are phrases; None: 100, for gensim 10, for npmi 0.5.
        passes: number of passes over the text; the second pass can join phrases into longer ones.
        connectors: words that may stand inside a phrase: a language such as "en", or the words.
        settings: `delimiter` (the text between the joined words, "_") and the settings for reading
            a corpus, such as `column` and `lowercase`.

    Raises:
        InputError: the corpus or a setting cannot be used.
        RunError: the disk is too full for temporary files.
    """
    from w2v.corpus import is_in_memory, read_corpus, read_memory
    from w2v.corpus.phrases import find_phrases, threshold_of
    from w2v.settings.build import build_config, build_group
    from w2v.settings.phrases import PhraseSettings

    values = plain({**settings, "min_count": min_count})
    chosen: dict[str, Any] = {"scoring": scoring, "threshold": threshold, "passes": passes}
    chosen = plain({**chosen, "connectors": connectors, "delimiter": values.pop("delimiter", None)})
    options = build_group(PhraseSettings, {**chosen, "connectors": chosen["connectors"] or None})
    threshold_of(options)
    in_memory = is_in_memory(corpus)
    names = (IN_MEMORY,) if in_memory else _paths("corpus", corpus)
    config = build_config({**values, "corpus": names}).corpus
    store = read_memory(corpus, config) if in_memory else read_corpus(config.corpus, config)
    for warning in store.warnings:
        warnings.warn(warning, stacklevel=2)
    return find_phrases(store, config.min_count, options)


def compare(
    corpus: PathLike | Sequence[PathLike] | None = None,
    losses: Sequence[str] | Mapping[str, Mapping[str, Any]] | None = None,
    *,
    output: PathLike | None = None,
    questions: PathLike | Sequence[PathLike] | None = None,
    overwrite: bool = False,
    config: PathLike | None = None,
    **settings: Any,
) -> Compared:
    """Trains the same model with several losses, each in its own process. Returns the comparison:
    its `rows` hold the figures of each loss, its `table()` is a printable text.

    Args:
        corpus: a path, several paths or a glob; None: the one in `config`.
        losses: names, or a mapping from names to settings; None: those listed in `config`.
        output: the folder for the runs; None: MODEL-compare in the working directory.
        questions: files of analogies or scored pairs to compare word vectors by, whose `scores`
            have 95 % intervals; None: those of the demo.
        overwrite: retrain everything; otherwise finished runs are kept and stopped ones resumed.
        settings: settings shared by all losses, as in `train`.

    Raises:
        InputError: the corpus, a setting or the folder cannot be used.
    """
    from w2v.comparison.compare import Comparison
    from w2v.corpus.memory import is_in_memory

    if corpus is not None and is_in_memory(corpus):
        raise InputError(
            "`compare` trains each loss in its own process, which reads the corpus from files: give"
            " their paths"
        )
    if isinstance(losses, Mapping):
        settings_of = arguments.kind(Mapping, "mapping of settings")
        losses = {
            name: plain(settings_of(name, {} if chosen is None else chosen))
            for name, chosen in losses.items()
        }
    elif losses is not None and not isinstance(losses, str):
        losses = arguments.items("losses", losses)
    for name in losses or ():
        arguments.text("losses", name)
    output, config = (
        None if path is None else arguments.path(name, path)
        for name, path in (("output", output), ("config", config))
    )
    asked = () if questions is None else _paths("questions", questions)
    stop = Event()
    choices = (corpus, losses, plain(settings), config, output, asked, overwrite)
    comparison = Comparison(*choices, stop=stop)
    with soft_stop(stop, lambda: True):
        return comparison.run()


def report(
    runs: Run | PathLike | Sequence[Run | PathLike],
    path: PathLike,
    *,
    questions: PathLike | Sequence[PathLike] = (),
    title: str | None = None,
) -> None:
    """Writes an HTML page about runs (objects or directories): settings, curves and scores.

    Args:
        path: the file to write.
        questions: files of analogies or word pairs; by default the sets that come with w2v.
        title: the heading of the page; None: the names of the runs.

    Raises:
        InputError: a run does not exist or is damaged.
    """
    from w2v.explorer.report import check_report, write_report
    from w2v.system.files import atomic_file

    page, chosen, sets = (
        arguments.path("path", path),
        _paths("runs", runs),
        _paths("questions", questions),
    )
    arguments.optional(arguments.text)("title", title)
    check_report(page, chosen)
    document = write_report(chosen, sets, title)
    with atomic_file(page) as file:
        file.write(document)


def _paths(name: str, value: Any) -> tuple[str, ...]:
    entries = [value] if isinstance(value, (str, os.PathLike)) else arguments.items(name, value)
    return tuple(arguments.path(name, entry) for entry in entries)
