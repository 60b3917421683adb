"""Generate text with a language model, word by word.

PROMPT is the beginning of the text; - is stdin. By default, the text begins as after a line end.
<eos> ends a line and counts as a word. Words of the prompt that the model does not know are read as
<unk>; <unk> is never generated unless --unk is given. Several texts (--number) are separated by an
empty line; text i is that of --seed SEED + i - 1.

Each word is drawn with the model's probabilities to the power 1 / --temperature, from the --top-k
most probable words, and of these from the fewest with a total probability of --top-p. Without both
options, hsigmoid draws at each node of its tree and adaptive-softmax from its head, then from a
cluster: --temperature then applies to each of these draws (--top-p 1 makes it apply to the words).
--temperature 0 or --top-k 1 chooses the most probable word.

\b
  w2v generate wiki-lm "the king of"
  w2v generate wiki-lm --words 200 --temperature 0.8 --top-k 40 --seed 7
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from w2v.cli.lines import checked_start, open_stdin
from w2v.cli.model import open_language_model
from w2v.cli.options import Device, Json, Quiet, Run, real, whole
from w2v.cli.output import flush, is_terminal, print_json, print_line, say
from w2v.cli.progress import ConsoleReporter, announcing_if_slow
from w2v.errors import InputError

LONGEST_PROMPT = 1 << 20  # bytes


def command(
    run: Run,
    prompt: Annotated[str | None, typer.Argument(metavar="[PROMPT]", hidden=True)] = None,
    words: Annotated[
        int,
        whole(
            min=1, help="number of words to generate, or of subwords if the vocabulary has those"
        ),
    ] = 50,
    temperature: Annotated[
        float,
        real(min=0.0, help="below 1, probable words are preferred; 0: always the most probable"),
    ] = 1.0,
    top_k: Annotated[
        int | None, whole(min=1, help="draw from only this many of the most probable words")
    ] = None,
    top_p: Annotated[
        float | None,
        real(help="draw from only the most probable words with this total probability"),
    ] = None,
    seed: Annotated[int, whole(min=0, max=2**62, help="seed of the random numbers")] = 1,
    number: Annotated[int, whole(min=1, help="number of texts to generate")] = 1,
    unk: Annotated[bool, typer.Option("--unk", help="allow <unk> in the text")] = False,
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    text = _prompt_text(prompt)
    model = open_language_model(run, device, quiet)
    if unknown := model.unknown_words(text):
        shown = ", ".join(map(repr, unknown[:5])) + (", …" if len(unknown) > 5 else "")
        say(f"warning: the model does not know {shown}: read as <unk>")
    from w2v.lm.generation import Sampling  # imports PyTorch

    sampling = Sampling(temperature, top_k, top_p, None if unk else model.vocabulary.unk)
    silent = quiet or is_terminal(sys.stderr)  # a terminal shows a progress bar instead
    with ConsoleReporter(quiet=quiet) as reporter, announcing_if_slow("writing", quiet=silent):
        for i in range(number):

            def progress(done: int, total: int, before: int = i * words) -> None:
                reporter.working("writing", before + done, number * total, "words")

            text_seed = seed + i
            lines = model.generate_lines(text, words, sampling, seed=text_seed, progress=progress)
            if json:
                begun = model.vocabulary.decode(model.prompt_ids(text))
                facts = {"text": "".join(lines), "prompt": begun, "words": words, "seed": text_seed}
                print_json(facts)
                continue
            if i:
                print_line("")
            for line in filter(None, lines):
                reporter.close()
                print_line(line.removesuffix("\n"))
                flush()


def _prompt_text(prompt: str | None) -> str:
    if prompt != "-":
        return prompt or ""
    use, remedy = "PROMPT - reads the prompt from", "give it as an argument, or pipe it in"
    from w2v.corpus.reading import Notices  # imports NumPy

    data = open_stdin(use, remedy, typed=True).read(LONGEST_PROMPT + 1)
    if len(data) > LONGEST_PROMPT:
        raise InputError(f"the prompt on stdin has more than {LONGEST_PROMPT:,} bytes; shorten it")
    checked_start([data], "the prompt on standard input", "strict")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InputError("the prompt on standard input is not UTF-8; correct it") from None
    if not text.strip():
        raise InputError("the prompt on stdin is empty; leave out PROMPT to begin without one")
    for sentence in Notices(nul=data.count(0)).sentences():
        say(f"warning: {sentence}")
    return text.removesuffix("\n")
