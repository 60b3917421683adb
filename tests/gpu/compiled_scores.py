"""What the kernel of scores becomes on a GPU, found without one.

    python -m tests.gpu.compiled_scores 90

prints a JSON list with registers and spilled bytes of each variant. Not in a process that
interprets.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from tests.gpu.compiled import figures


def variants(capability: int) -> list[dict[str, Any]]:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from w2v.kernels.gpu import scores

    found = []
    for kind in ("fp32", "bf16"):
        for sums, writes in ((True, True), (True, False), (False, True)):
            signature = {
                "z": f"*{kind}",
                "total": "*fp32",
                "stride": "i32",
                "classes": "i32",
                "floor": "fp32",
                "sums": "constexpr",
                "writes": "constexpr",
                "tile": "constexpr",
            }
            names = list(signature)
            given = {"sums": sums, "writes": writes, "tile": scores.TILE}
            source = ASTSource(
                scores.rows_to_exponentials,
                signature,
                {(names.index(name),): value for name, value in given.items()},
                {(place,): [["tt.divisibility", 16]] for place in range(4)},
            )
            target = GPUTarget("cuda", capability, 32)
            kernel = triton.compile(source, target=target, options={"num_warps": scores.WARPS})
            wide = len(re.findall(r"(?:ld|st)\.global\S*\.v4\.b32", kernel.asm["ptx"]))
            found.append({"kind": kind, **given, "wide": wide, **figures(kernel)})
    return found


if __name__ == "__main__":
    print(json.dumps([each for one in sys.argv[1:] for each in variants(int(one))]))
