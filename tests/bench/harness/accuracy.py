"""What seconds buy: the recipes in configs/, w2v's defaults and other systems train on one corpus,
and answer the same question sets.

The text is in w2v's cache and its kernels are compiled before. A row per contestant: seconds of the
whole process, from start to vectors on disk, its CPU seconds (which other work on the machine
hardly changes), and per set the share of right answers or the rank correlation. Figures are means
over the seeds 1, 2, … with the smallest and the largest. Peers take hours, so what is known is kept
after every run, and rows that were measured before can be put beside new ones.
"""

from __future__ import annotations

import json
import shlex
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import w2v
from harness.machine import machine
from harness.process import how_it_ended, own_environment, run
from harness.spread import Spread, as_dict, spread
from harness.systems import Case, Peer
from harness.text import plain_text
from w2v.errors import InputError, RunError, W2VError
from w2v.evaluation.analogies import AnalogyResult
from w2v.evaluation.sets import AnalogySet, SimilaritySet

ROOT = Path(__file__).resolve().parents[3]
FEW = 1 << 20  # bytes
RECIPES = ("fast", "accurate", "rare-words")
# of several files that a program wrote beside each other, the first that is there is read
WRITTEN = ("vectors.vec", "vectors.bin", "vectors.txt", "vectors")
PLACES = ("corpus", "output", "seed", "threads")  # what a command of the user's may name


@dataclass(frozen=True)
class Setup:
    """What to measure, and how."""

    corpus: tuple[str, ...]
    case: Case  # w2v's defaults, at which peers train too
    sets: tuple[AnalogySet | SimilaritySet, ...]
    recipes: tuple[str, ...] = RECIPES
    peers: tuple[Peer, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()  # name, and the command with {corpus} {output} …
    repeat: int = 3
    peer_repeat: int = 1  # they take minutes, and some know no seed
    earlier: tuple[dict[str, Any], ...] = ()  # rows of before, kept where none is new


@dataclass
class Contestant:
    """A row: a system at some settings, `ours` if it is w2v. `command` makes the command line of a
    corpus, an output and a seed."""

    name: str
    ours: bool
    repeat: int
    command: Callable[[str, str, int], Sequence[str]]
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    scores: list[list[float | None]] = field(default_factory=list)  # per seed, of every set

    def as_row(self, sets: Sequence[str]) -> dict[str, Any]:
        """Plain values for JSON."""
        columns = zip(*self.scores, strict=True)
        return {
            "system": self.name,
            "ours": self.ours,
            "seeds": len(self.seconds),
            "seconds": as_dict(_mean(self.seconds)),
            "cpu_seconds": as_dict(_mean(self.cpu_seconds)),
            "scores": {
                name: as_dict(_mean(column)) for name, column in zip(sets, columns, strict=True)
            },
        }


def measure(
    setup: Setup,
    say: Callable[[str], None],
    keep: Callable[[dict[str, Any]], None] = lambda found: None,
) -> dict[str, Any]:
    """All results as plain values. `say` gets a line about every run, `keep` what is known so far.

    Raises:
        InputError: the corpus cannot be read as text.
        RunError: w2v fails; another system that fails is left out, which is said.
    """
    names = [each.name for each in setup.sets]
    found = list(contestants(setup))
    with tempfile.TemporaryDirectory(prefix="w2v-bench-") as name:
        folder = Path(name)
        corpus = plain_text(setup.corpus, folder, say)
        environment = {**own_environment(), "W2V_CACHE_DIR": str(folder / "cache")}
        _prepare(found, corpus, folder, environment)
        for seed in range(1, max(each.repeat for each in found) + 1):
            for one in found:
                if seed > one.repeat:
                    continue
                try:
                    _take(one, setup.sets, corpus, folder / "out", seed, environment)
                except W2VError as error:
                    if one.ours:
                        raise RunError(f"{one.name} failed ({error})") from None
                    one.repeat = 0
                    say(f"warning: {one.name} failed and is left out from here on ({error})")
                    continue
                told = ", ".join(
                    f"{name} {'nothing known' if score is None else f'{100 * score:.1f}'}"
                    for name, score in zip(names, one.scores[-1], strict=True)
                )
                say(f"{one.name}, seed {seed}: {one.seconds[-1]:.1f} s, {told}")
                keep(_results(setup, found))
    return _results(setup, found)


def earlier_rows(
    path: str, corpus: Sequence[str], sets: Sequence[AnalogySet | SimilaritySet]
) -> list[dict[str, Any]]:
    """The rows of results that `measure` made of this corpus and these sets.

    Raises:
        InputError: the file cannot be read, or has results of something else.
    """
    saved = saved_results(path, "earlier")
    names = [each.name for each in sets]
    asked = {"corpus": [Path(each).name for each in corpus], "sets": names, "machine": machine()}
    for key, now in asked.items():
        if saved[key] != now:
            raise InputError(f"`earlier` {path}: measured {saved[key]}, not {now}")
    return list(saved["rows"])


def saved_results(path: str, option: str) -> dict[str, Any]:
    """What `measure` returned and the file has kept; `option` names it in errors.

    Raises:
        InputError: the file cannot be read, or has results of something else.
    """
    try:
        saved: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        missing = {"bench", "corpus", "sets", "machine", "rows"} - saved.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"`{option}` {path}: no results of accuracy ({error})") from None
    if missing or saved["bench"] != "accuracy":
        raise InputError(f"`{option}` {path}: no results of accuracy")
    return saved


def contestants(setup: Setup) -> Iterator[Contestant]:
    """The rows of the table, which is also the order of a round."""
    case = setup.case

    def w2v_with(*more: str) -> Callable[[str, str, int], Sequence[str]]:
        def command(corpus: str, output: str, seed: int) -> Sequence[str]:
            given = ("--seed", str(seed), "--threads", str(case.threads), "--output", output)
            return [sys.executable, "-m", "w2v", "train", corpus, *more, *given, "--quiet"]

        return command

    def peer_at(peer: Peer) -> Callable[[str, str, int], Sequence[str]]:
        return lambda corpus, output, seed: peer.command(case, corpus, f"{output}.bin", seed)

    def given_by(text: str) -> Callable[[str, str, int], Sequence[str]]:
        def command(corpus: str, output: str, seed: int) -> Sequence[str]:
            values = zip(PLACES, (corpus, output, seed, case.threads), strict=True)
            return shlex.split(text.format_map({name: shlex.quote(f"{v}") for name, v in values}))

        return command

    yield Contestant("w2v, defaults", True, setup.repeat, w2v_with())
    for name in setup.recipes:
        path = ROOT / "configs" / f"{name}.yaml"
        if not path.is_file():
            raise InputError(f"`recipe` {name}: there is no {path}")
        command = w2v_with("--config", str(path))
        yield Contestant(f"w2v, {path.name}", True, setup.repeat, command)
    for peer in setup.peers:
        if reason := peer.cannot(case):
            raise InputError(f"`peer` {peer.kind} {reason}")
        yield Contestant(f"{peer.kind}, same settings", False, setup.peer_repeat, peer_at(peer))
    for name, text in setup.commands:
        yield Contestant(name, False, setup.peer_repeat, given_by(text))


def parse_command(text: str) -> tuple[str, str]:
    """The name and the command of NAME=COMMAND, where the command has the places {corpus} and
    {output}, and perhaps {seed} and {threads}.

    Raises:
        InputError: a part is missing, or it has other places.
    """
    name, _, command = text.partition("=")
    try:
        filled = command.format_map(dict.fromkeys(PLACES, "x"))
        shlex.split(filled)
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"`command` {text}: {error}; the places are {_places()}") from None
    if not name or not all(f"{{{place}}}" in command for place in PLACES[:2]):
        raise InputError(f"`command` {text}: give NAME=PROGRAM …, with {_places()}")
    return name, command


def _results(setup: Setup, found: Sequence[Contestant]) -> dict[str, Any]:
    """What is known of the contestants so far, ours first, with the rows of before."""
    names = [each.name for each in setup.sets]
    rows = {row["system"]: row for row in setup.earlier}
    rows |= {one.name: one.as_row(names) for one in found if one.seconds}
    return {
        "bench": "accuracy",
        "corpus": [Path(each).name for each in setup.corpus],
        "sets": names,
        "threads": setup.case.threads,
        "machine": machine(),
        "rows": sorted(rows.values(), key=lambda row: not row["ours"]),
    }


def _prepare(
    found: Sequence[Contestant], corpus: str, folder: Path, environment: dict[str, str]
) -> None:
    """Reads the text into the cache, and compiles what w2v's rows need, on its beginning."""
    few = folder / "few.txt"
    with open(corpus, "rb") as whole:
        few.write_bytes(whole.read(FEW))
    commands = [[sys.executable, "-m", "w2v", "vocab", corpus, "--quiet"]]
    for one in found:
        if one.ours and one.repeat:
            commands.append([*one.command(str(few), str(folder / "few"), 1), "--overwrite"])
    for command in commands:
        if (done := run(command, environment)).status:
            raise RunError(how_it_ended(done))


def _take(
    one: Contestant,
    sets: Sequence[AnalogySet | SimilaritySet],
    corpus: str,
    folder: Path,
    seed: int,
    environment: dict[str, str],
) -> None:
    """One run of one contestant: trains, reads what it wrote, asks the sets."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = one.command(corpus, str(folder / "vectors"), seed)
    done = run(command, environment if one.ours else None)
    if done.status:
        raise RunError(how_it_ended(done))
    written = next((path for name in WRITTEN if (path := folder / name).exists()), None)
    if written is None:
        raise RunError(f"it wrote no vectors: {done.output.last_line}")
    vectors = w2v.load(written)
    scores: list[float | None] = []
    for each in sets:
        result = vectors.evaluate(each)
        right = isinstance(result, AnalogyResult)
        scores.append(result.accuracy if right else result.spearman)
    one.seconds.append(done.seconds)
    one.cpu_seconds.append(done.cpu_seconds)
    one.scores.append(scores)


def _mean(values: Sequence[float | None]) -> Spread | None:
    """The mean, where `spread` has the median."""
    if (found := spread(values)) is None:
        return None
    mean = statistics.fmean(value for value in values if value is not None)
    return Spread(mean, found.low, found.high)


def _places() -> str:
    return " ".join(f"{{{place}}}" for place in PLACES)
