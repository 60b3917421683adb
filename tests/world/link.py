"""A bad link between two network namespaces, where the kernel has no netem: a TUN device in each,
and a process that passes packets from one to the other.

    python link.py NAME DEVICE ADDRESS/BITS NAME DEVICE ADDRESS/BITS

A packet of n bytes leaves 8 n / RATE seconds after the one before it, arrives DELAY later, and is
lost with the chance LOSS, by a seeded generator, or where QUEUE others wait. TCP above it sends
again as on a real link. "ready" is printed when it stands; SIGUSR1 cuts it for good; at the end of
the input it prints [passed, lost] and ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time
from collections import deque

RATE, DELAY, LOSS, QUEUE, MTU = 1e9, 0.005, 0.001, 4000, 1500
NETWORK, SET_NAME, TUN, NO_HEADER = 0x40000000, 0x400454CA, 0x0001, 0x1000  # Linux
BATCH = 64  # packets taken from one side before the other is looked at


def device_in(network: str, name: str, address: str) -> int:
    """Makes a TUN device that is up; returns what reads and writes its packets."""
    with open(f"/var/run/netns/{network}") as found:
        if ctypes.CDLL(None, use_errno=True).setns(found.fileno(), NETWORK):
            raise OSError(ctypes.get_errno(), "setns")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, SET_NAME, struct.pack("16sH22x", name.encode(), TUN | NO_HEADER))
    subprocess.run(["ip", "addr", "add", address, "dev", name], check=True)
    subprocess.run(["ip", "link", "set", name, "mtu", str(MTU), "up"], check=True)
    return device


class Way:
    """One direction: from a device to another."""

    def __init__(self, source: int, target: int, chance: random.Random) -> None:
        self.source, self.target, self._chance = source, target, chance
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._free = 0.0  # when the last packet has left
        self.loss, self.passed, self.lost = LOSS, 0, 0

    def take(self) -> None:
        for _ in range(BATCH):
            try:
                packet = os.read(self.source, MTU + 100)
            except BlockingIOError:
                return
            if self._chance.random() < self.loss or len(self._waiting) >= QUEUE:
                self.lost += 1
                continue
            self._free = max(self._free, time.monotonic()) + 8 * len(packet) / RATE
            self._waiting.append((self._free + DELAY, packet))

    def give(self) -> float:
        """Passes on what has arrived; returns in how many seconds the next one does."""
        while self._waiting:
            left = self._waiting[0][0] - time.monotonic()
            if left > 0:
                return left
            packet = self._waiting.popleft()[1]
            if self.loss < 1:
                os.write(self.target, packet)
                self.passed += 1
        return 1.0


def main(names: list[str]) -> None:
    one, other = device_in(*names[:3]), device_in(*names[3:])
    ways = [Way(one, other, random.Random(1)), Way(other, one, random.Random(2))]

    def cut(*_: object) -> None:
        for way in ways:
            way.loss = 1.0

    signal.signal(signal.SIGUSR1, cut)
    print("ready", flush=True)
    while True:
        left = min([way.give() for way in ways])
        ready = select.select([one, other, 0], [], [], left)[0]
        if 0 in ready:
            break
        for way in ways:
            if way.source in ready:
                way.take()
    print(json.dumps([sum(way.passed for way in ways), sum(way.lost for way in ways)]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
