"""The output of a run: a run directory, or just a vector file.

It is chosen and checked before the long part, and locked from then on. It is written atomically at
the end; a run directory with checkpoints exists from the start of training, see
`w2v.runs.directory`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from w2v.corpus import Vocabulary
from w2v.errors import InputError, RunError
from w2v.runs.checkpoint import FOLDER, UNSOUND, Checkpoint, all_finite, save_checkpoint, sweep
from w2v.runs.directory import RUN_FILES, RunDirectory, check_places, write_plainly
from w2v.settings.config import IN_MEMORY, Config
from w2v.system import compression
from w2v.system.files import HUB, atomic_directory, check_writable, clean_up, is_special
from w2v.system.lock import locked
from w2v.training.task import Files, Result
from w2v.vectors import FORMATS, check_words, file_suffix, named_format, save_vectors

# Extensions of file formats that training does not write: a directory of that name is not meant.
OF_FILES = re.compile(
    r"\.(csv|tsv|jsonl?|ndjson|ya?ml|xml|html?|pdf|png|npz|mat|h5|hdf5|pth?|pkl|pickle|joblib|model|kv"
    r"|gguf|onnx|db|sqlite|tar|tgz|zip|7z|log|md|gz|bz2|xz|zst)"
)
STEM_BYTES = 160  # limit on a corpus name: file names, also temporary ones, may have 255 bytes


class Written(NamedTuple):
    """The path of a written result, the name of the checkpoint in it, and warnings."""

    path: Path
    checkpoint: str | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Output:
    """The output of a run: a run directory or a vector file. begun: whether it is a run directory
    that exists and belongs to this run."""

    path: Path
    is_file: bool
    overwrite: bool
    begun: bool = False

    def check_space(self, needed: int) -> None:
        """Raises RunError if a result of about `needed` bytes does not fit on the disk."""
        with suppress(OSError):
            disk = os.statvfs(self.path if self.begun else self.path.parent)
            free = disk.f_frsize * (disk.f_bavail if os.geteuid() else disk.f_bfree)
            if disk.f_blocks and free < needed:  # some file systems report 0 blocks
                sizes = f"the result takes {needed / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free"
                remedy = "make room, put `output` elsewhere, or lower `dim`"
                problem = f"cannot write {self.path}: No space left on device"
                raise RunError(f"{problem}: {sizes}; {remedy}")

    def check_words(self, words: Sequence[str], dim: int) -> None:
        """Raises InputError for words that a vector file could not represent."""
        if self.is_file:
            check_words(self.path, words, dim)

    @property
    def surprise(self) -> str | None:
        """A note about a new run directory that is named like a file, else None."""
        suffix = self.path.suffix[1:]
        if self.is_file or self.begun or not (0 < len(suffix) <= 6 and suffix.isalpha()):
            return None
        return f"{self.path} becomes a run directory; vector files end in {' '.join(FORMATS)}"

    def lies_in(self, folders: Sequence[str]) -> str | None:
        """Returns the first of these folders that contains the output, or None."""
        inside = (folder for folder in folders if _within(str(self.path), Path(folder)))
        return next(inside, None)

    def write(
        self,
        result: Result,
        vocabulary: Vocabulary,
        start: Files,
        end: Callable[[Path], Files],
        checkpoint: Checkpoint | None,
    ) -> Written:
        """Writes the result; if another run took the path in the meantime, at the next number.
        `start` are the files that describe what was trained, `end` returns those that hold the
        result; the checkpoint is added to a run directory that is written as a whole."""
        if not all_finite(result.vectors):
            raise RunError(f"the vectors hold {UNSOUND}; try a smaller `lr`")
        directory = RunDirectory(self.path, start)
        if self.begun:
            directory.restore(checkpoints=False)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)  # it existed when the run began
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from error
        if self.begun:
            directory.add(end(self.path))
            return _with_checkpoint(self.path, self.path, checkpoint)
        while True:
            path = self.path
            if not self.overwrite:
                path = free_path(self.path, file_suffix(self.path) if self.is_file else "")
            if self.is_file:
                saved = save_vectors(path, vocabulary.words, result.vectors, vocabulary.counts)
                warning = "only the words were written: a run directory keeps the n-grams too"
                return Written(path, None, [*saved.warnings, *([warning] if result.files else [])])
            try:
                with atomic_directory(path, replace=self.overwrite) as folder:
                    write_plainly(folder, {**start, **end(path)})
                    return _with_checkpoint(path, folder, checkpoint)
            except RunError:
                # otherwise another run took the path a moment earlier
                if self.overwrite or not path.exists():
                    raise


def _with_checkpoint(path: Path, folder: Path, checkpoint: Checkpoint | None) -> Written:
    """Saves the checkpoint in `folder`, which will become `path`. A failure is only a warning,
    because the vectors are already written."""
    if checkpoint is None:
        return Written(path)
    (folder / FOLDER).mkdir(exist_ok=True)
    try:
        return Written(path, save_checkpoint(folder / FOLDER, checkpoint).name)
    except RunError as error:
        problem = "the run cannot be resumed, its state could not be saved"
        return Written(path, None, [f"{problem}: {error}"])


def prepare_output(config: Config) -> Output:
    """Returns the output of a run. Raises InputError if it cannot be written."""
    name, overwrite = config.output.output, config.output.overwrite
    if name is None:
        path = free_path(default_name(config))
        check_writable(path, overwrite=False)
        return Output(path, False, False)
    if name in ("", "-"):
        problem = f"give a run directory, or a file ending in {' '.join(FORMATS)}"
        raise _unusable(f"{name or repr(name)}:", problem)
    path = Path(name)
    kind = named_format(path)
    is_file = kind is not None
    if overwrite and path.is_symlink() and not is_file:
        path = Path(os.path.realpath(path))  # keeps the link itself, as for files
    if path.name in ("", "..") or os.path.ismount(path):
        raise _unusable(name, "cannot be replaced as a whole: name a run directory inside it")
    if any(_within(entry, path) for entry in config.corpus.corpus):
        raise _unusable(name, "would remove the corpus: name another one")
    if is_file:
        _check_file(config, name)
    else:
        check_folder(path)
    if is_special(path):
        raise _unusable(name, "is a device or a pipe: name a file, or - for vectors on stdout")
    check_writable(path, overwrite=overwrite)
    if is_file:
        if path.is_dir():
            problem = "is a folder, but its name asks for a vector file; name another one"
            raise _unusable(name, problem)
        if kind == "npy":  # its words are in a second file
            check_writable(path.with_suffix(".vocab.tsv"), overwrite=overwrite)
    elif overwrite and os.path.lexists(path):
        check_removable(path)
    return Output(path, is_file, overwrite)


def check_folder(path: Path) -> None:
    """Raises InputError if the name is that of a file."""
    if OF_FILES.fullmatch(path.suffix.lower()):
        vectors = f"vectors are written as {' '.join(FORMATS)}"
        raise _unusable(path, f"is named like a file, and a run is a directory: {vectors}")


def _check_file(config: Config, name: str) -> None:
    """Raises InputError if the configuration does not fit a vector file."""
    if not config.only_vectors:
        raise InputError(
            f"`output` {name}: a language model is more than vectors; name a run directory, and"
            f" write its embeddings from there with w2v export DIRECTORY -o {name}"
        )
    if config.checkpoints.checkpoint_every is not None:
        raise InputError(
            f"`checkpoint_every` needs a run directory, but `output` {name} is a vector file: name"
            " a folder, or leave `checkpoint_every` out"
        )


@contextmanager
def claimed(config: Config, resume: Path | None = None) -> Iterator[Output]:
    """Yields the output of a run, checked, and locked within the block. `resume`: the run to
    resume."""
    with ExitStack() as stack:
        if resume is not None:
            alone = stack.enter_context(locked(resume))
            check_places(resume)
            nameless = resume.name in ("", "..")  # the name is needed for temporary files beside it
            path = Path(os.path.realpath(resume)) if nameless else resume
            output = Output(path, False, False, begun=True)
            for name in RUN_FILES if alone else ():
                clean_up(resume / name)
            if alone:
                sweep(resume / FOLDER)
        else:
            output, taken, alone = prepare_output(config), [], None
            while alone is None:
                try:
                    alone = stack.enter_context(locked(output.path))
                except InputError:
                    if config.output.output is not None:
                        raise
                    taken.append(output.path)
                    output = replace(output, path=free_path(default_name(config), taken=taken))
        if alone:
            clean_up(output.path)
        yield output


def default_name(config: Config) -> Path:
    """Returns CORPUS-STEM-MODEL-LOSS in the working directory."""
    first = config.corpus.corpus[0]
    names = {"-": "stdin", IN_MEMORY: "memory"}
    if first.startswith(HUB):  # keeps the data set and its split
        first = "-".join(re.sub("[@#][^/]*", "", first).split("/")[-2:])
    name = names.get(first) or Path(first).resolve().name
    while Path(name).suffix.lower() in compression.SUFFIXES:
        name = Path(name).stem
    stem = re.sub(r"[^\w.-]+", "-", Path(name).stem).strip("-.") or "corpus"
    stem = stem.encode()[:STEM_BYTES].decode(errors="ignore")
    return Path(f"{stem}-{config.model.model}-{config.training.loss}")


def free_path(path: Path, suffix: str = "", taken: Sequence[Path] = ()) -> Path:
    """Returns `path`, or the first of `path-2`, `path-3`, … that does not exist; the number
    precedes `suffix`."""
    candidates = numbered(path, suffix)
    return next(name for name in candidates if name not in taken and not os.path.lexists(name))


def numbered(path: Path, suffix: str = "") -> Iterator[Path]:
    """Yields `path`, `path-2`, `path-3`, …"""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.name.removesuffix(suffix)}-{number}{suffix}")


def check_removable(path: Path) -> None:
    """Raises InputError unless the path is an empty folder or a run directory with only its own
    files."""
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else {""}
    if names and "format_version" not in names:
        problem = "exists and is not a run directory, so `overwrite` will not remove it"
        raise _unusable(path, f"{problem}; name another one")
    names_of_files = "|".join(re.escape(name) for name in RUN_FILES)
    leftover = re.compile(rf"\.({names_of_files})\.[a-z0-9_]{{8}}\.(tmp|old)")
    if foreign := sorted(name for name in names - set(RUN_FILES) if not leftover.fullmatch(name)):
        problem = f"holds {foreign[0]!r}, which no run wrote, so `overwrite` will not remove it"
        raise _unusable(path, f"{problem}; move that away, or name another one")


def _unusable(path: object, why: str) -> InputError:
    return InputError(f"`output` {path} {why}")


def _within(entry: str, path: Path) -> bool:
    """Returns whether the corpus `entry` is `path` or lies inside it."""
    source, target = os.path.realpath(entry), os.path.realpath(path)
    return (
        entry not in ("-", IN_MEMORY)
        and not entry.startswith(HUB)
        and (source == target or source.startswith(os.path.join(target, "")))
    )
