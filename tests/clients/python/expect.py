"""What every client checks of what it was told, and how it says so."""

import sys
import traceback


class Wrong(Exception):
    """The server said something that its contract does not allow."""


def expect(holds, message):
    """Ends the running check with `message` unless `holds`."""
    if not holds:
        raise Wrong(message)


def equal(got, wanted, what):
    expect(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def contiguous(sequences, first, what):
    """Every sequence from `first` on, once and in order."""
    wanted = first
    for got in sequences:
        expect(got == wanted, f"{what}: got sequence {got} where {wanted} was next")
        wanted += 1


def run(title, checks):
    """Runs every check, prints a line for each, and returns how many failed."""
    failed = 0
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            note = check()
        except Wrong as wrong:
            failed += 1
            print(f"  FAIL  {title}: {name}\n        {wrong}", flush=True)
        except Exception:  # a check that breaks is a check that fails
            failed += 1
            print(f"  FAIL  {title}: {name}", flush=True)
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"  ok    {title}: {name}{f' ({note})' if note else ''}", flush=True)
    return failed
