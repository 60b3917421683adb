"""Resolves the names of a corpus to sources: files, folders, globs, FIFOs, and standard input
(`-`).

The order is deterministic: arguments keep their order, a folder yields its files sorted by path
(recursively, without hidden files), a glob yields its matches sorted. The content of a source is
interpreted later, in `chunks` and `tables`.
"""

from __future__ import annotations

import difflib
import glob
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from w2v.corpus.hub import pinned
from w2v.errors import InputError, RunError, shown
from w2v.system import compression
from w2v.system.files import HUB
from w2v.system.json import read_object

Advance = Callable[[int], None]

# WikiExtractor's files, wiki_00 and so on, may be text with tags or lines of JSON.
EXTRACTED, EXTRACTED_NAME = "extracted", re.compile(r"wiki_\d+")
ON_HUB = "hub"
STANDARD_INPUT = "-"
STANDARD_INPUT_NAME = "standard input"
TABLE_FORMATS = dict.fromkeys((".jsonl", ".ndjson", ".json"), "json")
TABLE_FORMATS |= {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".arrow": "arrow"}
RUN_FILES = {"config.yaml", "format_version"}  # in every run's folder
# The files that mark a folder made by `save_to_disk` of `datasets`: for one split, and for several.
SPLIT_FILES, SPLITS_FILE = {"state.json", "dataset_info.json"}, "dataset_dict.json"


@dataclass(frozen=True)
class Source:
    """One source of text, with its size and times when the corpus was resolved."""

    name: str
    path: str | None  # absolute; None for standard input
    format: str
    size: int | None = None  # None for pipes and devices, which cannot be read again
    mtime_ns: int | None = None
    # inode and ctime: a file can be replaced by another one of the same size and mtime
    stamp: tuple[int, ...] = ()
    named: bool = True  # by the user, rather than found in a folder or by a glob
    # a part of a file: its bytes from `begin` up to `end` (None: the end of the file)
    begin: int = 0
    end: int | None = None

    @property
    def lasting(self) -> bool:
        """Whether the content can be read again, so that its ids may be cached: true for a regular
        file and for a commit on the hub."""
        return self.size is not None or self.format == ON_HUB

    def check_unchanged(self) -> None:
        """Raises RunError if a regular file has changed its size or mtime, or has vanished."""
        if self.path is None or self.size is None:
            return
        try:
            status = os.stat(self.path)
        except OSError as error:
            problem = f"{self.name} vanished while it was being read ({error.strerror})"
            raise RunError(f"{problem}; start again") from None
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime_ns):
            problem = f"{self.name} changed while it was being read"
            raise RunError(f"{problem}; start again once it is complete")


@contextmanager
def opened(source: Source) -> Iterator[IO[bytes]]:
    """Opens the source's raw file, and closes it afterwards unless it is standard input. Raises
    InputError if it cannot be opened."""
    if source.path is None:
        if sys.stdin is None:
            raise InputError("standard input (-) is closed; name a file, or pipe the text in")
        yield sys.stdin.buffer
        return
    try:
        file = open(source.path, "rb", buffering=0 if source.lasting else -1)  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{source.name} cannot be read: {error.strerror}") from None
    with file:
        yield cast(IO[bytes], file)


def read_pieces(source: Source, piece_bytes: int, advance: Advance) -> Iterator[bytes]:
    """Yields the decompressed bytes of `source` in pieces of `piece_bytes`. `advance` is called
    with the number of raw bytes of each read. Raises InputError if the source cannot be opened, or
    its compressed data are damaged or truncated, and RunError if the device fails."""
    with opened(source) as file:
        size, plain = source.size, source.begin > 0
        if plain:
            file.seek(source.begin)
        if size is not None:
            size = (size if source.end is None else source.end) - source.begin
        stream = compression.Decompressed(file, source.name, advance, size, plain=plain)
        while piece := stream.read(piece_bytes):
            yield piece


def table_format(name: str) -> str | None:
    """Returns the format of a table by its file name ("a.jsonl.gz": "json"), None for text, or
    EXTRACTED for a file of WikiExtractor, which may be either."""
    stem = name.lower()
    for suffix in compression.SUFFIXES:
        stem = stem.removesuffix(suffix)
    if EXTRACTED_NAME.fullmatch(os.path.basename(stem)):
        return EXTRACTED
    return TABLE_FORMATS.get(os.path.splitext(stem)[1])


def resolve_sources(
    corpus: Sequence[str], column: str | None = None
) -> tuple[list[Source], list[str]]:
    """Returns the sources that `corpus` names, in reading order, and warnings about them. Names may
    be files, folders, globs (which a YAML file or some shells do not expand), data sets of the hub
    and `-`. Sources whose name does not show a table are plain text, but with `column` a pipe may
    be a table. The folders of runs are skipped.

    Raises:
        InputError: a name matches nothing, a folder has no files or cannot be read, `-` is given
            twice, or `column` is given although no source is a table.
    """
    if not corpus:
        raise InputError("no corpus given: name a file, a folder, a glob, or - for standard input")
    runs: list[str] = []
    sources = [each for name in corpus for each in _resolve_one(os.fspath(name), column, runs)]
    if column is not None and all(source.format == "text" for source in sources):
        problem = f"`column` {column} needs a table (.jsonl .json .csv .tsv .parquet .arrow)"
        raise InputError(f"{problem}, and {sources[0].name} is plain text; leave out `column`")
    repeated = Counter(source.path for source in sources)
    if repeated[None] > 1:
        raise InputError("standard input (-) is named twice: it can be read only once")
    often = [(path, times) for path, times in repeated.items() if times > 1]
    warnings = [f"{path} is named {times} times and will be read as often" for path, times in often]
    if runs:
        more = f" and {len(runs) - 1} more are runs" if len(runs) > 1 else " is a run"
        warnings.append(f"{runs[0]}{more}, not text: skipped")
    return sources, warnings


def _resolve_one(argument: str, column: str | None, runs: list[str]) -> list[Source]:
    """Returns the sources that one name stands for, and adds any folders of runs to `runs`."""
    if argument == STANDARD_INPUT:
        return [Source(STANDARD_INPUT_NAME, None, "text" if column is None else "sniff")]
    if argument.startswith(HUB):
        address = pinned(argument)
        return [Source(address, address, ON_HUB)]
    if not os.path.lexists(argument) and argument.startswith("~"):
        argument = os.path.expanduser(argument)
    if os.path.exists(argument):
        matches = [argument]
    elif glob.has_magic(argument):
        matches = _sorted(set(glob.glob(argument, recursive=True)))
        # ** follows links to folders, even in cycles: keep only the shortest path to each file
        by_length = sorted(matches, key=len)
        first = {os.path.realpath(path): path for path in reversed(by_length)}
        matches = [path for path in matches if first[os.path.realpath(path)] == path]
        if not matches:
            remedy = "check the pattern, or quote a name that holds * ? ["
            raise InputError(f"{argument} matches no file; {remedy}")
    else:
        raise InputError(_not_found(argument))
    paths: list[str] = []
    for match in matches:
        if os.path.isdir(match):
            paths += _files_in(match, runs)
        elif len(matches) == 1 or os.path.isfile(match):
            paths.append(match)
    if argument in runs:
        problem = f"{argument} is a run directory, not text"
        raise InputError(f"{problem}; `output` names the result, `init` what to start from")
    if not paths:
        raise InputError(f"{argument} has no files to read (hidden files are skipped)")
    return [_describe(path, column, named=paths == [argument]) for path in paths]


def _not_found(argument: str) -> str:
    if not argument:
        remedy = "name a file, a folder or a glob; a text is passed as a list of lines"
        return f"no such corpus: {argument!r}; {remedy}"
    if os.path.islink(argument):
        return (
            f"no such corpus: {argument} is a link to {os.readlink(argument)}, which does not exist"
        )
    folder, name = os.path.split(argument)
    try:
        names = os.listdir(folder or ".")
    except OSError as error:
        return f"no such corpus: {argument} ({folder}: {error.strerror})"
    near = difflib.get_close_matches(name, names, n=1)
    if not near and len(name.split()) > 2:
        remedy = "check the path; a text is passed as a list of lines, or on stdin (-)"
        return f"no such corpus: {shown(argument)}; {remedy}"
    hint = f"; did you mean {os.path.join(folder, near[0])}?" if near else "; check the path"
    return f"no such corpus: {argument}{hint}"


def _files_in(folder: str, runs: list[str]) -> list[str]:
    """Returns the files in a folder, sorted, and adds the folders of runs in it to `runs`."""

    def refuse(error: OSError) -> None:
        problem = f"the folder {error.filename} cannot be read: {error.strerror}"
        raise InputError(f"{problem}; check its permissions")

    paths: list[str] = []
    shards: dict[str, tuple[str, ...]] = {}  # files of data sets -> their sort keys
    for directory, folders, names in os.walk(folder, onerror=refuse):
        if RUN_FILES.issubset(names):
            runs.append(directory)
            folders.clear()
            continue
        if SPLITS_FILE in names:
            splits = ", ".join(sorted(os.path.join(directory, split) for split in folders))
            raise InputError(f"{directory} holds several data sets: name one of {splits}")
        if SPLIT_FILES.issubset(names):
            folders.clear()
            for number, path in enumerate(_shards(directory)):
                shards[path] = (*Path(directory).parts, f"{number:09}")
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [os.path.join(directory, name) for name in names if not name.startswith(".")]
    files = [*filter(os.path.isfile, paths), *shards]
    return sorted(files, key=lambda path: shards.get(path) or Path(path).parts)


def _shards(folder: str) -> list[str]:
    """Returns the files of a data set in order, without other files (caches of `map`)."""
    try:
        files = read_object(Path(folder, "state.json"))["_data_files"]
        names = [os.path.basename(each["filename"]) for each in files]
        return [os.path.join(folder, name) for name in names]
    except (OSError, ValueError, KeyError, TypeError):
        problem = "looks like a data set of `datasets`, but its state.json is damaged"
        raise InputError(f"{folder} {problem}; save it again, or name its .arrow files") from None


def _sorted(paths: Iterable[str]) -> list[str]:
    return sorted(paths, key=lambda path: Path(path).parts)


def _describe(path: str, column: str | None, *, named: bool) -> Source:
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    table = table_format(path)
    absolute = os.path.abspath(path)
    # Files under /dev and /proc may change with each read, even if they look like regular files.
    passing = not stat.S_ISREG(status.st_mode) or absolute.startswith(("/dev/", "/proc/"))
    if table is None:
        table = "sniff" if column is not None and passing else "text"
    if passing:
        return Source(path, absolute, table, named=named)
    stamp = (status.st_ino, status.st_ctime_ns)
    return Source(path, absolute, table, status.st_size, status.st_mtime_ns, stamp, named)
