"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Return the folder of real documents beside the project; the test is skipped where it is absent."""
    folder = PROJECT.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip(f"the corpus of real documents is not here: {folder}")
    return folder
