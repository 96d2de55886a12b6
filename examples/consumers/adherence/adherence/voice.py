"""How notices are told: lines for people on a terminal, lines of JSON for anything else."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from typing import TextIO

from adherence.rule import Notice

STATUS_INTERVAL = 5.0
COLOURS = {"alert": "31", "back": "32", "uncertain": "33", "away": "33"}


class Voice:
    """Prints what is noticed; a line that was printed is out before the position is stored."""

    def __init__(self, out: TextIO = sys.stdout, as_json: bool | None = None) -> None:
        self._out = out
        self._json = not out.isatty() if as_json is None else as_json
        self._counts: dict[str, int] = {}
        self._counted = 0.0

    def say(self, notices: list[Notice]) -> None:
        for notice in notices:
            self._line(_as_json(notice) if self._json else self._readable(notice))

    def status(self, at: float, counts: dict[str, int]) -> None:
        """The counts, where they changed, and not too often."""
        if counts == self._counts or at - self._counted < STATUS_INTERVAL:
            return
        self._counts, self._counted = counts, at
        if self._json:
            self._line(json.dumps({"kind": "status", "at": _time(at), **counts}))
        else:
            words = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
            self._line(f"{_clock(at)}            {words}")

    def _readable(self, notice: Notice) -> str:
        doubt = "" if notice.certain or notice.agent is None else "  (as far as is known)"
        kind = f"{notice.kind:<10}"
        if self._out.isatty() and notice.kind in COLOURS:
            kind = f"\x1b[{COLOURS[notice.kind]}m{kind}\x1b[0m"
        # Names and words are others' texts: no control characters reach a terminal.
        text = "".join(c if c.isprintable() else "?" for c in notice.text)
        return f"{_clock(notice.at)}  {kind}{text}{doubt}"

    def _line(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def _as_json(notice: Notice) -> str:
    told = {
        "kind": notice.kind,
        "at": _time(notice.at),
        "text": notice.text,
        "certain": notice.certain,
        "agent": notice.agent,
        **{k: _time(v) if k.endswith("_since") else v for k, v in notice.details.items()},
    }
    return json.dumps({key: value for key, value in told.items() if value is not None})


def _time(at: object) -> str:
    assert isinstance(at, float), "times are seconds of Unix time"
    moment = datetime.fromtimestamp(at, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
