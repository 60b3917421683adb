"""Communication between ranks on one machine: sockets with latencies of microseconds, and shared
memory. Neither leaves anything behind, however the processes end."""

from __future__ import annotations

import mmap
import os
import socket
import struct
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from w2v.training.world import World

LONGEST = 1 << 16  # bytes of a message
PATIENCE = 60.0  # seconds to wait for ranks that have joined


class Neighbours:
    """Connected ranks. links: of rank 0, to the others in their order; of others, to rank 0."""

    def __init__(self, world: World, links: list[socket.socket]) -> None:
        self._world, self._links = world, links

    @classmethod
    def find(cls, world: World) -> Neighbours | None:
        """Connects all ranks; returns None if one cannot reach rank 0 on its machine."""
        name, link = "", None
        with suppress(OSError, AttributeError):  # these sockets exist only on Linux
            link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            link.settimeout(PATIENCE)
            if world.rank == 0 and (os.memfd_create, socket.SO_PEERCRED):
                link.bind(f"\0w2v-{uuid.uuid4().hex}")
                link.listen(world.size)
                name = bytes(link.getsockname()).decode()
        name, reached = world.broadcast(name), world.rank == 0
        with suppress(OSError):
            if world.rank and name and link is not None:
                link.connect(name)
                link.send(struct.pack("i", world.rank))
                reached = _of_this_user(link)
        all_have = world.agree([reached and bool(name)]).all()
        if link is None or not all_have:
            return None
        return cls(world, [link] if world.rank else _accepted(link, world.size))

    def meet(self, message: bytes) -> bytes:
        """Returns the messages of all ranks, which must have the same length, concatenated. Raises
        OSError if a rank has ended, TimeoutError if it does not answer in time."""
        until, size = time.monotonic() + self._world.patience, len(message)
        if self._world.rank:
            self._links[0].send(message)
            return _receive(self._links[0], size * self._world.size, until)
        messages = b"".join([message, *(_receive(link, size, until) for link in self._links)])
        for link in self._links:
            link.send(messages)
        return messages

    def memory(self, size: int) -> mmap.mmap | None:
        """Returns zeroed memory of `size` bytes, shared by all ranks, or None if that is not
        possible. Raises the same errors as `meet`."""
        shared, descriptors = None, list[int]()
        if self._world.rank:
            self._links[0].settimeout(self._world.patience)
            _, descriptors, *_ = socket.recv_fds(self._links[0], 1, 1)
        else:
            with suppress(OSError):
                descriptors = [os.memfd_create("w2v")]
                os.ftruncate(descriptors[0], size)
            for link in self._links:
                socket.send_fds(link, [b"m"], descriptors)
        with suppress(OSError, ValueError, IndexError):
            shared = mmap.mmap(descriptors[0], size)
        for descriptor in descriptors:
            os.close(descriptor)
        return shared if self._world.agree([shared is not None]).all() else None

    def leave(self) -> None:
        """Closes this rank's connections."""
        for link in self._links:
            link.close()


def _receive(link: socket.socket, size: int, until: float) -> bytes:
    link.settimeout(max(1e-3, until - time.monotonic()))
    message = link.recv(size)
    if not message:
        raise ConnectionResetError("the other rank has ended")
    return message


def _of_this_user(link: socket.socket) -> bool:
    peer = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", peer)[1] == os.getuid())


def _accepted(server: socket.socket, size: int) -> list[socket.socket]:
    """Accepts the connections of all other ranks and returns them in order."""
    links: dict[int, socket.socket] = {}
    with server:
        while len(links) < size - 1:
            link, _ = server.accept()
            if _of_this_user(link):
                links[struct.unpack("i", link.recv(4))[0]] = link
    return [links[rank] for rank in range(1, size)]
