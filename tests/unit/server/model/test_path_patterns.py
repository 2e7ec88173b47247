from __future__ import annotations

import fnmatch
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.model.path_patterns import (
    MAX_EFFORT,
    Effort,
    TooMuchEffortError,
    matches_github,
    matches_gitlab,
    selects_github,
)

# GitHub Docs, «Workflow syntax», «Filter pattern cheat sheet»: every row of its two tables.
GITHUB_ROWS = {
    "feature/*": ["feature/my-branch", "feature/your-branch"],
    "feature/**": ["feature/beta-a/my-branch", "feature/your-branch", "feature/mona/the/octocat"],
    "releases/mona-the-octocat": ["releases/mona-the-octocat"],
    "**": ["all/the/branches", "every/tag", "all/the/files.md"],
    "*feature": ["mona-feature", "feature", "ver-10-feature"],
    "v2*": ["v2", "v2.0", "v2.9"],
    "v[12].[0-9]+.[0-9]+": ["v1.10.1", "v2.0.0"],
    "*": ["README.md", "server.rb"],
    "*.jsx?": ["page.js", "page.jsx"],
    "*.js": ["app.js", "index.js"],
    "**.js": ["index.js", "js/index.js", "src/js/app.js"],
    "docs/*": ["docs/README.md", "docs/file.txt"],
    "docs/**": ["docs/README.md", "docs/mona/octocat.txt"],
    "docs/**/*.md": ["docs/README.md", "docs/mona/hello-world.md", "docs/a/markdown/file.md"],
    "**/docs/**": ["docs/hello.md", "dir/docs/my-file.txt", "space/docs/plan/space.doc"],
    "**/README.md": ["README.md", "js/README.md"],
    "**/*src/**": ["a/src/app.js", "my-src/code/js/app.js"],
    "**/*-post.md": ["my-post.md", "path/their-post.md"],
    "**/migrate-*.sql": ["migrate-10909.sql", "db/migrate-v1.0.sql", "db/sept/migrate-v1.sql"],
    "Octoc?t": ["Octoct", "Octot"],
    "[CB]at": ["Cat", "Bat"],
    "[1-2]00": ["100", "200"],
    r"release\*": ["release*"],
}
GITHUB_REFUSED = {
    "feature/*": ["feature/a/b", "feature", "my/feature/a"],
    "*": ["docs/README.md"],
    "*.js": ["js/index.js"],
    "docs/*": ["docs/a/b.md", "docs"],
    "docs/**": ["docs", "my-docs/a", "a/docs/b"],
    "**/README.md": ["README.md.txt", "myREADME.md"],
    "v[12].[0-9]+.[0-9]+": ["v3.1.1", "v1..1", "v1.1", "v1.1.1-rc"],
    "main": ["Main", "main2", ""],
    "[CB]at": ["Rat", "CBat"],
    r"release\*": ["release-1"],
}


@pytest.mark.parametrize(("pattern", "text"), [(row, text) for row, texts in GITHUB_ROWS.items() for text in texts])
def test_a_pattern_matches_what_github_says_it_matches(pattern: str, text: str) -> None:
    assert matches_github(pattern, text)


@pytest.mark.parametrize(("pattern", "text"), [(row, text) for row, texts in GITHUB_REFUSED.items() for text in texts])
def test_a_pattern_matches_nothing_else(pattern: str, text: str) -> None:
    assert not matches_github(pattern, text)


@pytest.mark.parametrize(
    ("patterns", "taken", "left"),
    [
        (["*.md", "!README.md"], ["hello.md"], ["README.md", "docs/hello.md"]),
        (["*.md", "!README.md", "README*"], ["hello.md", "README.md", "README.doc"], ["docs/hello.md"]),
        (["sub-project/**", "!sub-project/docs/**"], ["sub-project/index.js"], ["sub-project/docs/readme.md"]),
        (["!a"], [], ["a", "b"]),
        ([], [], ["a"]),
    ],
)
def test_of_a_list_the_last_pattern_that_matches_decides(
    patterns: list[str], taken: list[str], left: list[str]
) -> None:
    assert all(selects_github(patterns, path) for path in taken)
    assert not any(selects_github(patterns, path) for path in left)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("Dockerfile", ["Dockerfile"], ["a/Dockerfile"]),
        ("docker/scripts/*", ["docker/scripts/a"], ["docker/scripts/a/b"]),
        ("dockerfiles/**/*", ["dockerfiles/a", "dockerfiles/a/b"], ["dockerfiles"]),
        ("*.{rb,py,sh}", ["a.rb", "a.py", ".hidden.sh"], ["a.go", "x/a.rb"]),
        ("**/*.sql", ["a.sql", "db/x/a.sql"], ["a.sqlx"]),
        ("**", ["a"], ["a/b"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[^a]x", ["bx"], ["ax", "/x"]),
        ("/src/[ab]{1,2}", ["src/a1", "src/b2"], ["src/c1", "src/a3"]),
        ("{a,{b,c}d}", ["a", "bd", "cd"], ["ad", "b"]),
        (r"a\*", ["a*"], ["ab"]),
    ],
)
def test_a_gitlab_pattern_is_read_like_rubys(pattern: str, matching: list[str], others: list[str]) -> None:
    assert all(matches_gitlab(pattern, path) for path in matching)
    assert not any(matches_gitlab(pattern, path) for path in others)


def test_braces_that_stand_for_too_many_patterns_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 200"):
        matches_gitlab("{a,b}" * 12, "a" * 12)


@pytest.mark.parametrize("pattern", ["{" + "," * 4000 + "}" + "a" * 4000, "{" + "," * 60_000 + "}" + "a" * 60_000])
def test_alternatives_are_counted_before_they_are_made(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"at most|more than"):
        matches_gitlab(pattern, "a")


@pytest.mark.parametrize(
    "pattern",
    ["*a" * 300, "**a" * 300, "a?" * 500, "a+" * 500, "**/" * 300 + "x", "*+" * 400 + "c", "[a-\U0010ffff]" * 70],
)
def test_a_hostile_pattern_takes_no_longer_than_its_length(pattern: str) -> None:
    text = "a" * 3000 + "b"
    before = time.perf_counter()

    with suppress(TooMuchEffortError):
        assert not matches_github(pattern, text)

    assert time.perf_counter() - before < 5


def test_all_patterns_of_a_file_together_take_no_longer_than_a_change_may() -> None:
    effort = Effort()
    patterns = [f"{'a*' * 500}{number}" for number in range(500)]
    before = time.perf_counter()

    with pytest.raises(TooMuchEffortError):
        any(selects_github(patterns, f"{'a' * 350}-{number}", effort) for number in range(3000))

    assert time.perf_counter() - before < 20


def test_usual_patterns_and_many_changed_files_take_little() -> None:
    effort = Effort()
    patterns = [f"component-{number}/src/**/*.py" for number in range(50)]

    found = [selects_github(patterns, f"component-{number}/src/a/file.py", effort) for number in range(3000)]

    assert found.count(True) == 50
    assert effort.left > MAX_EFFORT / 2


def test_a_pattern_beyond_the_limit_matches_nothing() -> None:
    assert not matches_github("a" * 1025, "a" * 1025)


@given(st.text("ab/.*", max_size=8), st.text("ab/.", max_size=10))
def test_a_star_pattern_without_folders_agrees_with_fnmatch(pattern: str, text: str) -> None:
    if "/" in text or "**" in pattern or "/" in pattern:
        return

    assert matches_github(pattern, text) is fnmatch.fnmatchcase(text, pattern)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_a_pattern(pattern: str, text: str) -> None:
    assert matches_github(pattern, text) in (True, False)
