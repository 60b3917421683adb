"""Prints the rate of torch.mm in floating-point operations per second, float32 2048 x 2048, as JSON
by threads.

python matrix_rate.py 1 2     ->  {"1": 9.6e10, "2": 1.8e11}
"""

import json
import statistics
import sys
import time

import torch

SIZE = 2048
SECONDS = 0.7


def main() -> None:
    torch.manual_seed(1)
    a, b, c = (torch.rand(SIZE, SIZE) for _ in range(3))
    rates = {}
    for threads in sys.argv[1:]:
        torch.set_num_threads(int(threads))
        torch.mm(a, b, out=c)
        times: list[float] = []
        while sum(times) < SECONDS or len(times) < 3:
            start = time.perf_counter()
            torch.mm(a, b, out=c)
            times.append(time.perf_counter() - start)
        rates[threads] = 2 * SIZE**3 / statistics.median(times)
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
