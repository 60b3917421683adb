"""A small decoder-only Transformer: pre-norm, causal attention over a sliding window, GELU
feed-forward layers of 4 x width.

In every layer a token attends to itself and to the `context - 1` tokens before it. The state holds
the keys and values of those tokens, so that a text read in pieces of any length gives the same rows
as the text read at once. In training, the state is passed from segment to segment without gradients
(Transformer-XL, Dai et al. 2019, arXiv:1901.02860).

Only distances between positions are used, so that the window can slide: rotary embeddings of
queries and keys (Su et al. 2021, arXiv:2104.09864), or a learned score for each head and distance
(Raffel et al. 2020, arXiv:1910.10683, without buckets).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from w2v.lm.bodies.base import Body, State, dropout, zeros
from w2v.settings.language_model import LanguageModelSettings

ROTARY_BASE = 10000.0
WIDENING = 4  # width of the feed-forward layers, relative to the hidden rows
INIT_STD = 0.02


class Transformer(Body):
    """`layers` blocks of attention and feed-forward layers; a state is a tuple of one tensor
    [layers, B, 2, heads, S, width / heads], for S <= context - 1 tokens."""

    def __init__(self, settings: LanguageModelSettings, dim: int) -> None:
        super().__init__()
        self.width, self.heads, self.context = settings.hidden, settings.heads, settings.context
        self.dropout = settings.dropout
        self.rotary = settings.positions == "rotary"
        self.widen = nn.Linear(dim, self.width, bias=False) if dim != self.width else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(self.width, self.heads, self.dropout) for _ in range(settings.layers)
        )
        self.norm = nn.LayerNorm(self.width)
        self.distance_scores: nn.Parameter | None = None
        if not self.rotary:
            self.distance_scores = nn.Parameter(torch.zeros(self.heads, self.context))
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2 and name != "distance_scores":
                # as in GPT-2, layers that add to the residual stream start smaller, by their number
                added = name.endswith(("attend_out.weight", "shrink.weight"))
                additions = 2 * settings.layers if added else 1
                nn.init.normal_(parameter, std=INIT_STD / additions**0.5)

    def start(self, batch: int) -> State:
        shape = len(self.blocks), batch, 2, self.heads, 0, self.width // self.heads
        return (zeros(self, *shape),)

    def forward(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        (memory,) = state
        n_past, length = memory.shape[4], len(embedded)
        # [B, T, width]
        rows = dropout(self.widen(embedded.transpose(0, 1)), self.dropout, self.training)
        mask = self.mask(n_past, length, rows)
        turns = self.turns(n_past + length, rows) if self.rotary else None
        oldest = max(0, n_past + length - self.context + 1)
        memories = []
        for block, past in zip(self.blocks, memory, strict=True):
            rows, keys_values = block(rows, past.to(rows.dtype), mask, turns)
            memories.append(keys_values[:, :, :, oldest:])
        return self.norm(rows).transpose(0, 1), (torch.stack(memories),)

    def mask(self, n_past: int, length: int, rows: Tensor) -> Tensor | None:
        """Returns what is added to the scores [1 or heads, T, n_past + T], with -inf for tokens
        outside the window; None if plain causal attention is right."""
        if not n_past and length <= self.context and self.distance_scores is None:
            return None
        positions = torch.arange(n_past + length, device=rows.device)
        distance = positions[n_past:, None] - positions
        hidden = (distance < 0) | (distance >= self.context)
        if self.distance_scores is None:
            return rows.new_zeros(1, *distance.shape).masked_fill_(hidden, -torch.inf)
        scores = self.distance_scores.to(rows.dtype)[:, distance.clamp(0, self.context - 1)]
        return scores.masked_fill(hidden, -torch.inf)

    def turns(self, length: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (cos, sin) [length, width / heads / 2] of the rotation angles of each position's
        pairs of numbers."""
        pairs = self.width // self.heads // 2
        number = torch.arange(max(length, pairs), device=rows.device, dtype=torch.float32)
        angles = number[:length, None] * ROTARY_BASE ** (-number[:pairs] / pairs)
        return angles.cos(), angles.sin()


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)); dropout on both summands."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attend_norm, self.widen_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend_in = nn.Linear(width, 3 * width, bias=False)
        self.attend_out = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, WIDENING * width)
        self.shrink = nn.Linear(WIDENING * width, width)

    def forward(
        self, rows: Tensor, past: Tensor, mask: Tensor | None, turns: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Returns (rows, keys and values [B, 2, heads, S + T, d]) for rows [B, T, width] and past
        keys and values [B, 2, heads, S, d]."""
        batch, length, width = rows.shape
        projected = self.attend_in(self.attend_norm(rows)).view(batch, length, 3, self.heads, -1)
        query, *new = projected.permute(2, 0, 3, 1, 4)
        keys_values = torch.cat([past, torch.stack(new, 1)], 3)
        key, value = keys_values[:, 0], keys_values[:, 1]
        if turns is not None:
            query, key = turned(query, turns), turned(key, turns)
        attended = F.scaled_dot_product_attention(query, key, value, mask, is_causal=mask is None)
        attended = attended.transpose(1, 2).reshape(batch, length, width)
        rows = rows + self.drop(self.attend_out(attended))
        return rows + self.drop(self.shrink(F.gelu(self.widen(self.widen_norm(rows))))), keys_values

    def drop(self, rows: Tensor) -> Tensor:
        """Returns the rows, with dropout in training."""
        return dropout(rows, self.dropout, self.training)


def turned(rows: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Returns rows [B, heads, T, d] with each pair (number i, number i + d / 2) rotated by the
    angle of its position; the positions are the last T of those in `turns`."""
    cos, sin = (part[-rows.shape[2] :].to(rows.dtype) for part in turns)
    first, second = rows.chunk(2, 3)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], 3)
