"""Why a subscription ended without its end being reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieline.failure import Refused, Unavailable


class TielineError(Exception):
    """Every error of a subscription."""


class GapError(TielineError):
    """The position is gone, and the choice was to stop."""

    def __init__(self, gap: Unavailable) -> None:
        super().__init__(str(gap))
        self.gap = gap


class RefusedError(TielineError):
    """The server said something that repeating the request will not change."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(str(refused))
        self.code = refused.code
        self.reason = refused.reason
        self.metadata = refused.metadata


class ViolationError(TielineError):
    """The server broke the guarantees of the contract."""
