"""How ranks find each other through a store that outlives them, as torchrun's does."""

from __future__ import annotations

import pytest

from tests.world.conftest import LM


@pytest.fixture(scope="module")
def agent():
    """The environment of ranks for which another process serves the store."""
    from torch.distributed import TCPStore  # takes a second

    store = TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    yield {**address, "TORCHELASTIC_USE_AGENT_STORE": "True", "W2V_PATIENCE": "60"}
    del store


def test_restarts_that_each_machine_counts_itself(ranks, corpus, tmp_path, agent):
    """torchrun does not count a restart of one machine on the others; what ended ranks have left in
    the store misleads nobody, also where they ended before all had joined."""
    arguments = ["train", corpus, *LM, "--epochs", "1", "--output", tmp_path / "run"]
    lonely = {**agent, "W2V_PATIENCE": "1", "WORLD_SIZE": "2"}
    (alone,) = ranks(1, *arguments, environment=lonely)
    assert alone.status == 1 and "waited 1 s for rank 1" in alone.err
    for counts in (["0", "0"], ["0", "1"], ["2", "1"]):
        each = [{**agent, "TORCHELASTIC_RESTART_COUNT": count} for count in counts]
        ends = ranks(2, *arguments, "--overwrite", environments=each)
        assert [end.status for end in ends] == [0, 0], ends[0].err + ends[1].err


@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_rank_is_reported_where_the_store_lives_on(ranks, corpus, tmp_path, agent, killed):
    run = tmp_path / "run"
    given = ["train", corpus, *LM, "--epochs", "9", "--checkpoint-every", "1k", "--output", run]
    ends = ranks(2, *given, fault=(killed, 12, "SIGKILL"), environment=agent)
    (line,) = [line for line in ends[1 - killed].err.splitlines() if "has ended" in line]
    assert ends[1 - killed].status == 1
    assert f"rank {killed} " in line and f"--resume {run}" in line
