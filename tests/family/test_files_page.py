"""docs/files.md says what the code does: its examples are read, its limits are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chainloop_ci.cli.options import CRAFT
from chainloop_ci.crafting.file_names import names_of
from chainloop_ci.workspace.globs import MAX_ENTRIES, MAX_SECONDS, is_pattern
from chainloop_ci.workspace.project_file import load_project_file

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("example", "name"), [*zip(EXAMPLES, ("build", "attestation"), strict=True)])
def test_every_project_file_can_be_read(tmp_path: Path, example: str, name: str) -> None:
    (tmp_path / ".chainloop.yml").write_text(example)

    found = load_project_file(tmp_path / ".chainloop.yml").find_attestation()

    assert found is not None
    assert found.name == name
    assert len(found.materials) == 2


def test_the_limits_are_those_of_the_code() -> None:
    assert f"looks at {MAX_ENTRIES:,} names and searches {MAX_SECONDS:.0f} seconds".replace(",", " ") in PAGE


def test_the_example_of_names_is_what_the_code_makes_of_it() -> None:
    path, *names = re.findall(r"`([^`]+)`", next(line for line in PAGE.splitlines() if "sbom.cdx.json` is" in line))

    assert tuple(names) == names_of(path)


def test_the_example_of_patterns_is_one() -> None:
    patterns = re.findall(r"--material [a-z]+='([^']+)'", PAGE)

    assert len(patterns) == 2
    assert all(is_pattern(pattern) for pattern in patterns)


def test_every_option_that_names_files_is_explained() -> None:
    flags = {option.flags[0] for option in CRAFT if option.name in ("materials", "checksums", "artifact_list")}

    assert len(flags) == 3
    assert all(f"{flag}" in PAGE for flag in flags)
