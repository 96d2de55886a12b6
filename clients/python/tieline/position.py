"""Positions in a journal, and where they are kept."""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Position:
    """A place in one incarnation of a journal: everything up to it lies behind the reader."""

    epoch: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.epoch}/{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Reads the text form, "epoch/sequence"."""
        epoch, slash, sequence = text.strip().rpartition("/")
        if not (epoch and slash and sequence.isascii() and sequence.isdigit()):
            raise ValueError(f"{text!r} is no position; write it as epoch/sequence")
        return cls(epoch, int(sequence))


class Store(Protocol):
    """Where a position outlives the process."""

    def load(self) -> Position | None:
        """The position that was saved last; None where there is none."""

    def save(self, position: Position) -> None:
        """Keeps a position. What it raises ends the subscription."""


class FileStore:
    """Keeps a position in a file that is replaced as a whole, so that a crash leaves the old or the new."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = pathlib.Path(path)
        self._new = self._path.with_name(f".{self._path.name}.new")

    def load(self) -> Position | None:
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return None
        try:
            return Position.parse(text)
        except ValueError as error:
            raise ValueError(f"{self._path}: {error}, or remove the file to start anew") from None

    def save(self, position: Position) -> None:
        with open(self._new, "w") as file:
            file.write(f"{position}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._new, self._path)
