"""What keeps the emulator from starting."""

from __future__ import annotations


class EmulatorError(RuntimeError):
    """The emulator cannot start; the text is one line that says why and what to do."""
