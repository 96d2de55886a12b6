"""The state file: what is known and the position behind it, replaced together or not at all."""

from __future__ import annotations

import json
import os
import pathlib

from tieline import Position

from adherence.rule import Rule

VERSION = 1


class StateFile:
    """A `tieline.Store` that keeps the rule's state with the position."""

    def __init__(self, path: str | os.PathLike[str], rule: Rule) -> None:
        self._path, self._rule = pathlib.Path(path), rule
        self._new = self._path.with_name(f".{self._path.name}.new")
        self._position: Position | None = None

    def load(self) -> Position | None:
        """Fills the rule with what was kept, and returns the position behind it."""
        try:
            kept = json.loads(self._path.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{self._path}: {error}; remove the file to start anew") from None
        if kept.get("version") != VERSION:
            raise ValueError(f"{self._path}: version {kept.get('version')!r} is not {VERSION}; remove it")
        self._rule.load(kept["state"])
        self._position = Position.parse(kept["position"])
        return self._position

    def save(self, position: Position) -> None:
        self._position = position
        self.save_again()

    def save_again(self) -> None:
        """The same position with what time has changed since."""
        if self._position is None:
            return
        kept = {"version": VERSION, "position": str(self._position), "state": self._rule.dump()}
        with open(self._new, "w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._new, self._path)
