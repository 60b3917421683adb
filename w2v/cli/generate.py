"""Write text with a language model, word by word.

PROMPT: what the text begins with (- is stdin); without it the text begins as after a line end.
<eos> ends a line and counts as a word. Words of the prompt that the model does not know are read as
<unk>; <unk> is never written unless --unk is given. Several texts (--number) are separated by an
empty line; text i is what --seed SEED + i - 1 gives.

Each word is drawn from the model's probabilities to the power 1 / --temperature, from the --top-k
most probable words, then from the fewest that have probability --top-p together. With neither,
hsigmoid walks its tree and adaptive-softmax draws from its head, then from a cluster: --temperature
then applies to each of these decisions (--top-p 1 makes it apply to the words). --temperature 0 or
--top-k 1 takes the most probable word.

\b
  w2v generate wiki-lm "the king of"
  w2v generate wiki-lm --words 200 --temperature 0.8 --top-k 40 --seed 7
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from w2v.cli.model import open_language_model
from w2v.cli.options import Device, Json, Quiet, Run
from w2v.cli.output import print_json, print_line, say
from w2v.cli.progress import ConsoleReporter
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.lm.generation import Sampling
    from w2v.lm.saved import SavedModel

NAME = "generate"


def command(
    run: Run,
    prompt: Annotated[str | None, typer.Argument(metavar="[PROMPT]", hidden=True)] = None,
    words: Annotated[
        int,
        typer.Option(
            "--words",
            min=1,
            metavar="INT",
            help="how many, parts of words with a subword vocabulary",
        ),
    ] = 50,
    temperature: Annotated[
        float,
        typer.Option(
            "--temperature", min=0.0, metavar="FLOAT", help="below 1: likelier words more often"
        ),
    ] = 1.0,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", min=1, metavar="INT", help="only from so many most probable words"),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p", metavar="FLOAT", help="only from the words that make up this share"
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**62, metavar="INT", help="of the random numbers")
    ] = 1,
    number: Annotated[
        int, typer.Option("--number", min=1, metavar="INT", help="how many texts")
    ] = 1,
    unk: Annotated[bool, typer.Option("--unk", help="allow <unk>")] = False,
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    if not 0 <= temperature < float("inf"):
        raise InputError(f"--temperature {temperature} is not a number of 0 or more")
    if top_p is not None and not 0 < top_p <= 1:
        raise InputError(f"--top-p {top_p:g} is out of range: give a share above 0, at most 1")
    text = _prompt_text(prompt)
    saved = open_language_model(run, device)
    ids = _prompt_ids(saved, text)
    from w2v.lm.generation import Sampling

    sampling = Sampling(temperature, top_k, top_p, None if unk else saved.vocabulary.unk)
    with ConsoleReporter(quiet=quiet) as reporter:
        for place in range(number):
            if place and not json:
                print_line("")
            _write(saved, ids, words, sampling, seed + place, json, (place, number), reporter)


def _prompt_text(prompt: str | None) -> str:
    if prompt != "-":
        return prompt or ""
    if sys.stdin is None:
        raise InputError(
            "PROMPT - reads the prompt from stdin, which is closed; give it as an argument, or pipe"
            " it in"
        )
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not text.strip():
        raise InputError("the prompt on stdin is empty; leave PROMPT away to begin without one")
    return text.removesuffix("\n")


def _prompt_ids(saved: SavedModel, text: str) -> list[int]:
    """The prompt's tokens: <eos> between its lines. Says which words the model does not know."""
    vocabulary = saved.vocabulary
    ids: list[int] = []
    unknown: dict[str, None] = {}
    for number, line in enumerate(text.split("\n") if text else []):
        ids += [*([vocabulary.eos] if number else []), *vocabulary.encode(line).tolist()]
        unknown |= dict.fromkeys(
            word for word in line.split() if vocabulary.unk in vocabulary.encode(word).tolist()
        )
    if unknown:
        shown = ", ".join(map(repr, list(unknown)[:5])) + (", …" if len(unknown) > 5 else "")
        say(f"warning: the model does not know {shown}: read as <unk>")
    return ids


def _write(
    saved: SavedModel,
    prompt: list[int],
    words: int,
    sampling: Sampling,
    seed: int,
    json: bool,
    place: tuple[int, int],
    reporter: ConsoleReporter,
) -> None:
    """One text: its lines as soon as they end, or one JSON object."""
    from w2v.lm.generation import generate

    vocabulary = saved.vocabulary
    tokens = list(prompt)
    line: list[int] = list(prompt)
    for done, token in enumerate(
        generate(saved.model, prompt, vocabulary.eos, sampling, seed=seed), 1
    ):
        tokens.append(token)
        if token != vocabulary.eos:
            line.append(token)
        elif not json:
            reporter.close()
            print_line(vocabulary.decode(line))
            sys.stdout.flush()
            line = []
        reporter.working("writing", place[0] * words + done, place[1] * words, "words")
        if done == words:
            break
    if json:
        text = vocabulary.decode(tokens)
        print_json(
            {"text": text, "prompt": vocabulary.decode(prompt), "words": words, "seed": seed}
        )
    elif line:
        reporter.close()
        print_line(vocabulary.decode(line))
