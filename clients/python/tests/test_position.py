"""Positions, and the file that keeps one."""

from __future__ import annotations

import os
import pathlib
import tempfile
import unittest
from unittest import mock

from tieline import FileStore, Position


class Files(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "position"
        self.store = FileStore(self.file)

    def test_what_is_saved_is_loaded(self) -> None:
        self.assertIsNone(self.store.load())
        for position in (Position("02052c8a46ce61b1", 481), Position("e", 2**63)):
            self.store.save(position)
            self.assertEqual(FileStore(str(self.file)).load(), position)
        self.assertEqual(self.file.read_text(), f"e/{2**63}\n")
        self.assertEqual(os.listdir(self.file.parent), ["position"])

    def test_a_save_that_fails_leaves_the_former_whole(self) -> None:
        self.store.save(Position("e", 1))
        for broken in ("os.fsync", "os.replace"):
            with mock.patch(broken, side_effect=OSError("no space")), self.assertRaises(OSError):
                self.store.save(Position("e", 2))
            self.assertEqual(self.store.load(), Position("e", 1))
        self.store.save(Position("e", 3))
        self.assertEqual(self.store.load(), Position("e", 3))

    def test_what_is_no_position_is_named(self) -> None:
        for text in ("", "e", "e/", "/1", "e/-1", "e/x", "e/٣"):
            self.file.write_text(text)
            with self.assertRaisesRegex(ValueError, "position.*epoch/sequence"):
                self.store.load()


if __name__ == "__main__":
    unittest.main()
