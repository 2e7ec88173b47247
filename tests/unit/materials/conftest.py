"""What the tests of materials share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.registry import get_kind
from chainloop_ci.materials.types import Checked

DATA = Path(__file__).resolve().parents[2] / "data"

Check = Callable[..., Checked]
Refuse = Callable[..., MaterialRejectedError]


@pytest.fixture
def data() -> Path:
    """Return the folder of our own small documents."""
    return DATA


def run_check(material_type: MaterialType, raw: bytes, strict: bool = True) -> Checked:
    """Run the check that the registry holds for `material_type`."""
    run = get_kind(material_type).check
    assert run is not None
    return run(raw, strict)


def run_refused_check(material_type: MaterialType, raw: bytes, strict: bool = True) -> MaterialRejectedError:
    """Return the error of a check that must refuse."""
    with pytest.raises(MaterialRejectedError) as caught:
        run_check(material_type, raw, strict)
    return caught.value


@pytest.fixture
def check() -> Check:
    """Return `check(type, raw, strict=True)`."""
    return run_check


@pytest.fixture
def refuse() -> Refuse:
    """Return `refuse(type, raw, strict=True)`."""
    return run_refused_check
