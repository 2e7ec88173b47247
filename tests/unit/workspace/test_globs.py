"""Patterns: what they match, in which order, where they may not lead, and when a search is stopped."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.errors import ChainloopError, LimitExceededError, PathRefusedError, UsageError
from chainloop_ci.workspace.globs import MAX_PATTERN, Search, is_pattern

posix = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links, pipes and /proc as POSIX has them")

FILES = (
    "report.xml",
    "a.xml",
    "reports/TEST-b.xml",
    "reports/TEST-a.xml",
    "reports/TEST-a.txt",
    "reports/.hidden.xml",
    "mod/x/reports/TEST-c.xml",
    ".config/secret.xml",
    ".git/config.xml",
    "odd/[1].xml",
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def find(folder: Path, pattern: str) -> tuple[str, ...]:
    """Return what a pattern of the workspace's own file matches."""
    return Search().find(pattern, folder, root=folder).paths


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.xml", ("a.xml", "report.xml")),
        ("reports/*.xml", ("reports/TEST-a.xml", "reports/TEST-b.xml")),
        ("./reports//TEST-?.xml", ("reports/TEST-a.xml", "reports/TEST-b.xml")),
        ("reports/TEST-[!a].xml", ("reports/TEST-b.xml",)),
        ("**/reports/*.xml", ("mod/x/reports/TEST-c.xml", "reports/TEST-a.xml", "reports/TEST-b.xml")),
        ("mod/**", ("mod/x/reports/TEST-c.xml",)),
        ("**/**/TEST-c.xml", ("mod/x/reports/TEST-c.xml",)),
        ("mod/**/x/**/*.xml", ("mod/x/reports/TEST-c.xml",)),
        ("*/x/*/*.xml", ("mod/x/reports/TEST-c.xml",)),
        ("REPORTS/*.xml", ()),
        ("reports/*.XML", ()),
        ("reports", ("reports",)),
        ("report*", ("report.xml",)),
        ("odd/[[]1].xml", ("odd/[1].xml",)),
        ("report.xml", ("report.xml",)),
        ("absent.xml", ()),
        ("report.xml/*", ()),
    ],
)
def test_a_pattern_matches_files_in_the_order_of_their_characters(workspace, pattern, expected) -> None:
    assert find(workspace, pattern) == expected


def test_a_double_star_stands_for_no_folder_too(workspace) -> None:
    assert {"a.xml", "mod/x/reports/TEST-c.xml"} <= set(find(workspace, "**/*.xml"))


def test_hidden_names_are_matched_only_by_a_part_that_begins_with_a_dot(workspace) -> None:
    assert find(workspace, "**/.*.xml") == ("reports/.hidden.xml",)
    assert find(workspace, ".config/*.xml") == (".config/secret.xml",)
    assert find(workspace, ".c*/*.xml") == (".config/secret.xml",)
    assert not any("hidden" in path or "secret" in path for path in find(workspace, "**"))


def test_the_git_folder_is_never_searched(workspace) -> None:
    assert find(workspace, ".g*/*") == ()
    with pytest.raises(PathRefusedError, match=r"nothing is searched in \.git"):
        find(workspace, ".git/*")


def test_an_absolute_pattern_gives_absolute_paths(workspace) -> None:
    assert find(workspace, f"{workspace}/*.xml") == (f"{workspace}/a.xml", f"{workspace}/report.xml")


def test_the_base_is_what_every_path_begins_with(workspace) -> None:
    found = Search().find("mod/./x/**/*.xml", workspace)

    assert (found.base, found.paths) == ("mod/x/", ("mod/x/reports/TEST-c.xml",))


@posix
@pytest.mark.parametrize(
    "pattern", ["../*", "*/../../*", "/etc/pass*", "/proc/self/environ", "/proc/self/env*", "up/*"]
)
def test_r22_a_pattern_that_leads_out_of_the_workspace_is_refused_by_name(workspace, pattern) -> None:
    (workspace / "up").symlink_to(workspace.parent)

    with pytest.raises(PathRefusedError) as caught:
        find(workspace, pattern)

    assert pattern in caught.value.message


@posix
@pytest.mark.parametrize("pattern", ["/proc/self/env*", "/dev/std*", "/sys/*"])
def test_r22_system_folders_are_refused_when_typed_too(workspace, pattern) -> None:
    with pytest.raises(PathRefusedError, match="system folder") as caught:
        Search().find(pattern, workspace)

    assert pattern in caught.value.message


@posix
def test_r22_a_wildcard_never_leads_into_a_system_folder() -> None:
    assert Search().find("/[op]*/uptime", Path("/")).paths == ()


@posix
def test_r22_wildcards_do_not_follow_links_to_folders(workspace) -> None:
    (workspace.parent / "outside").mkdir()
    (workspace.parent / "outside" / "secret.xml").touch()
    (workspace / "link").symlink_to(workspace.parent / "outside")
    (workspace / "loop").symlink_to(workspace)

    assert not any("secret" in path or "loop" in path for path in find(workspace, "**/*.xml"))
    assert find(workspace, "l*/*.xml") == ()


@posix
def test_a_link_that_is_written_out_is_followed(workspace) -> None:
    (workspace / "latest").symlink_to("reports")

    assert find(workspace, "latest/*.xml") == ("latest/TEST-a.xml", "latest/TEST-b.xml")


@posix
def test_r22_what_is_no_folder_is_matched_so_that_it_is_refused_by_name(workspace) -> None:
    os.mkfifo(workspace / "pipe.xml")
    (workspace / "out.xml").symlink_to("/etc/passwd")

    assert {"pipe.xml", "out.xml"} <= set(find(workspace, "*.xml"))


def test_a_typed_pattern_may_lead_elsewhere(workspace) -> None:
    assert Search().find("../workspace/*.xml", workspace / "reports").paths == ()
    assert Search().find("../*.xml", workspace / "reports").paths == ("../a.xml", "../report.xml")


def test_a_search_is_stopped_at_a_number_of_names(workspace) -> None:
    search = Search(max_entries=5)

    with pytest.raises(LimitExceededError, match=r"\*\*/\*\.xml in .* was stopped: it has looked at 5 names") as caught:
        search.find("**/*.xml", workspace)

    assert "before the first wildcard" in (caught.value.hint or "")


def test_the_limits_hold_for_all_searches_together(workspace) -> None:
    search = Search(max_entries=12)
    search.find("reports/*", workspace)
    search.find("reports/*", workspace)

    with pytest.raises(LimitExceededError):
        search.find("reports/*", workspace)


def test_a_search_is_stopped_after_some_time(tmp_path) -> None:
    for number in range(600):
        (tmp_path / str(number)).touch()
    times = iter(range(0, 1000, 30))
    search = Search(max_seconds=20, clock=lambda: float(next(times)))

    with pytest.raises(LimitExceededError, match="it has taken 20 s"):
        search.find("*", tmp_path)


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_may_not_be_listed_is_told(workspace) -> None:
    (workspace / "mod").chmod(0)

    found = Search().find("**/*.xml", workspace)

    assert found.unlisted == (str(workspace / "mod"),)


def test_a_pattern_is_not_longer_than_it_can_be(workspace) -> None:
    with pytest.raises(UsageError, match="at most"):
        find(workspace, "*" * (MAX_PATTERN + 1))


def test_a_pattern_with_many_stars_takes_no_time(workspace) -> None:
    (workspace / ("a" * 250)).touch()

    assert find(workspace, "*a" * 100 + "b") == ()


@pytest.mark.parametrize(
    ("pattern", "first"),
    [
        ("report/*.xml", "reports/TEST-a.xml"),
        ("reports/TEST-x.xml", "reports/TEST-a.xml"),
        ("reprot.xml", "report.xml"),
    ],
)
def test_the_nearest_files_are_suggested(workspace, pattern, first) -> None:
    suggested = Search().suggest(pattern, workspace)

    assert first in suggested
    assert len(suggested) <= 3


def test_nothing_is_suggested_that_is_not_alike(workspace) -> None:
    assert Search().suggest("dist/*.whl", workspace) == ()
    assert Search().suggest("/etc/*.xml", workspace) == ()


def test_a_value_is_a_pattern_by_its_wildcards() -> None:
    assert [is_pattern(text) for text in ("a*", "a?", "[a]", "a.xml", "**/a")] == [True, True, True, False, True]


@given(st.text(alphabet="ab*?[]!-./\\\0", max_size=30))
def test_any_pattern_is_answered_or_refused(tmp_path_factory, pattern) -> None:
    folder = tmp_path_factory.getbasetemp()

    try:
        found = Search(max_entries=500).find(pattern, folder, root=folder)
    except ChainloopError as error:
        assert error.message
    else:
        assert list(found.paths) == sorted(found.paths)
        assert all(path.startswith(found.base) for path in found.paths) or found.paths == (pattern,)
