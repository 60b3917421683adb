"""Run by every rank of test_words.py: check_words.py CORPUS FOLDER."""

import sys
from pathlib import Path

import pytest

from w2v.corpus import pieces
from w2v.errors import Elsewhere, InputError
from w2v.run import plan, run
from w2v.settings.build import build_config
from w2v.training.task import Context
from w2v.training.world import World

corpus, folder = sys.argv[1:]
pieces.SMALLEST_PIECE = 3000  # so that each rank has some


def context(world: World, name: str, *corpora: str, **more: object) -> Context:
    given = {"dim": 12, "epochs": 2, "sample": 0.01, "min_count": 2, "threads": 1, **more}
    texts = {name: str(value) for name, value in given.items()}
    path = str(Path(folder, name))
    config = build_config({"corpus": corpora or (corpus,), "output": path, **texts})
    return Context(config, world=world)


with World.join() as world:
    first, again = (run(context(world, name)) for name in ("first", "again"))
    for name in ("words", "final_loss", "predictions"):
        assert getattr(first, name) == getattr(again, name)
    # in rounds: two threads of each rank, and sections of several rounds
    rounds = {"threads": 2, "deterministic": True, "exchange_words": "20k"}
    rounds |= {"loss": "hsigmoid+neg", "model": "cbow"}
    for name in ("rounds", "rounds-again"):
        run(context(world, name, **rounds))

    planned = plan(context(world, "none", exchange_words="5k")).as_dict()
    assert (planned["ranks"], planned["exchange_words"]) == (2, 5000)
    assert 0 < planned["efficiency"] <= 1 and planned["training_seconds"] > 0
    assert planned["bytes_per_word"] > 299 * 2 * 64 / 5000  # all rows of both tables, each time
    assert not Path(folder, "none").exists()

    with pytest.raises(InputError if world.rank == 0 else Elsewhere) as told:
        run(context(world, "no", *[corpus] * (1 + world.rank)))
    if world.rank == 0:
        print(told.value)
