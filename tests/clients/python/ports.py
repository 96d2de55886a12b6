"""Ports for what is told where to listen. Alone it prints one, or the first of as many as it is told."""

import contextlib
import random
import socket
import sys

# Below those that systems hand out by themselves: one of these stays free until it is used, and again
# while what listens there is restarted.
PORTS = range(10_000, 32_768)


def free_port(count=1):
    """The first of so many in a row that are free at once."""
    while True:
        # Not by a seed, which what runs beside this may have too.
        first = random.SystemRandom().choice(PORTS[: len(PORTS) - count + 1])
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first


if __name__ == "__main__":
    print(free_port(*map(int, sys.argv[1:])))
