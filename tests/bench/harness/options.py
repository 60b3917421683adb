"""The options of the commands of `run.py`."""

from __future__ import annotations

import argparse
import shlex

from harness.accuracy import RECIPES
from harness.losses import Shape
from harness.recipes import MODELS
from harness.results import RESULTS

SHARED = ("dim", "window", "negatives", "sample", "min_count", "lr", "epochs")  # of w2v train


def training(one: argparse.ArgumentParser) -> None:
    one.add_argument("corpus", nargs="+", metavar="CORPUS")
    one.add_argument("--model", default="skip-gram", metavar="A,B", help="skip-gram, cbow or both")
    one.add_argument("--loss", default="neg", metavar="A,B,…", help="one or several")
    one.add_argument("--threads", metavar="A,B,…", help="one or several [default: all cores]")
    for name in SHARED:
        one.add_argument(f"--{name.replace('_', '-')}", help="as in w2v train")
    one.add_argument(
        "--peer",
        action="append",
        metavar="NAME[=PATH]",
        help="another system, may be repeated; none for w2v alone [default: those installed here]",
    )
    one.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="OPTIONS",
        help="w2v once more with these options of w2v train",
    )
    one.add_argument("--repeat", type=positive, default=3, metavar="INT", help="rounds")
    one.add_argument(
        "--questions", metavar="FILE", help="analogies [default: the demo set if it fits]"
    )
    one.add_argument(
        "--restrict-vocab",
        type=int,
        default=30000,
        metavar="INT",
        help="of the most frequent words",
    )
    one.add_argument("--no-cache", action="store_true", help="w2v reads the text in every run")
    output(one)


def losses(one: argparse.ArgumentParser) -> None:
    one.add_argument("--n", type=positive, default=1024, metavar="INT", help="hidden vectors")
    one.add_argument("--dim", type=positive, default=100, metavar="INT", help="their length")
    one.add_argument("--vocabulary", type=positive, default=50_000, metavar="INT", help="classes")
    one.add_argument("--samples", type=positive, default=64, metavar="INT", help="noise words")
    one.add_argument(
        "--cutoffs", type=numbers, default=(2000, 10_000), metavar="A,B,…", help="adaptive-softmax"
    )
    one.add_argument(
        "--full",
        type=shape,
        default=Shape(700, 200, 33_278),
        metavar="N,D,V",
        help="losses that score all rows",
    )
    one.add_argument(
        "--memory",
        type=shape,
        default=Shape(4096, 256, 250_000),
        metavar="N,D,V",
        help="softmax-memory",
    )
    one.add_argument("--only", metavar="A,B,…", help="these losses")
    one.add_argument("--threads", type=positive, metavar="INT", help="[default: all cores]")
    one.add_argument("--repeat", type=positive, default=7, metavar="INT", help="rounds")
    one.add_argument("--seconds", type=float, default=0.5, metavar="FLOAT", help="of a turn")
    one.add_argument("--tensorflow", metavar="PYTHON", help="a Python that has TensorFlow")
    one.add_argument("--paddle", metavar="PYTHON", help="a Python that has Paddle")
    output(one)


def recipes(one: argparse.ArgumentParser) -> None:
    one.add_argument("losses", nargs="*", metavar="LOSS", help="default: all")
    one.add_argument("--model", choices=MODELS, help="default: both")
    one.add_argument(
        "--least", type=float, default=70, metavar="PERCENT", help="accuracy asked for (default 70)"
    )
    one.add_argument(
        "--train", type=shlex.split, default=[], metavar="OPTIONS", help="for every w2v train"
    )
    one.add_argument("--write", metavar="FILE", help="put the table into this file too")


def accuracy(one: argparse.ArgumentParser) -> None:
    one.add_argument("corpus", nargs="+", metavar="CORPUS")
    one.add_argument(
        "--set",
        action="append",
        dest="sets",
        metavar="FILE",
        help="analogies or scored pairs, may be repeated [default: the sets of the demo]",
    )
    one.add_argument(
        "--recipe",
        action="append",
        dest="recipes",
        metavar="NAME",
        help=f"of configs/NAME.yaml, may be repeated [default: {', '.join(RECIPES)}]",
    )
    one.add_argument(
        "--peer", action="append", default=[], metavar="NAME[=PATH]", help="at w2v's defaults"
    )
    one.add_argument(
        "--command",
        action="append",
        default=[],
        dest="commands",
        metavar="NAME=PROGRAM …",
        help="any program, with {corpus}, {output}, {seed}, {threads} in its arguments",
    )
    one.add_argument(
        "--repeat", type=natural, default=3, metavar="INT", help="seeds of w2v; 0 leaves it out"
    )
    one.add_argument(
        "--peer-repeat", type=positive, default=1, metavar="INT", help="seeds of the others"
    )
    one.add_argument(
        "--earlier",
        action="append",
        default=[],
        metavar="JSON",
        help="rows measured before, of this corpus and these sets, may be repeated",
    )
    one.add_argument("--plot", metavar="FILE", help="also draw the first set against CPU seconds")
    output(one)


def results(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "saved", nargs="+", metavar="JSON", help="of training, losses, accuracy or w2v compare"
    )
    one.add_argument("--write", default=str(RESULTS), metavar="FILE")


def picture(one: argparse.ArgumentParser) -> None:
    one.add_argument("saved", nargs="+", metavar="JSON", help="of accuracy")
    one.add_argument("--output", "-o", required=True, metavar="FILE")


def gpu(one: argparse.ArgumentParser) -> None:
    one.add_argument("corpus", nargs="?", metavar="FILE", help="else one made from the demo corpus")
    one.add_argument("--set", action="append", dest="sets", metavar="FILE", help="analogies, pairs")
    one.add_argument(
        "--rehearse", action="store_true", help="tiny sizes in Triton's interpreter, without a GPU"
    )
    one.add_argument("--output", "-o", default="gpu.json", metavar="FILE")
    one.add_argument("--quiet", "-q", action="store_true", help="only what failed")


def gpu_table(one: argparse.ArgumentParser) -> None:
    one.add_argument("saved", nargs="?", metavar="JSON", help="of `gpu`; without it: not measured")


def output(one: argparse.ArgumentParser) -> None:
    one.add_argument("--output", "-o", metavar="FILE", help="also keep the results there, as JSON")
    one.add_argument("--quiet", "-q", action="store_true", help="only warnings on stderr")
    one.add_argument("--json", action="store_true", help="print JSON")


def positive(text: str) -> int:
    return natural(text, 1)


def natural(text: str, least: int = 0) -> int:
    if (number := int(text)) < least:
        raise argparse.ArgumentTypeError(f"{text} is below {least}")
    return number


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(positive, text.split(",")))


def shape(text: str) -> Shape:
    parts = numbers(text)
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"{text} has {len(parts)} numbers; give three: N,D,V")
    return Shape(*parts)
