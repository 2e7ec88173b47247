from __future__ import annotations

import stat
from pathlib import Path

import pytest

from chainloop_ci.cli.main import run
from tests.unit.cli.answers import organization, page, problem
from tests.unit.cli.conftest import Screen, TestWorld

URL = "https://chainloop.example.com"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the configuration is kept."""
    return tmp_path / "config" / "chainloop" / "config.toml"


def test_save_keeps_what_was_typed_and_nobody_else_reads_it(operate, file: Path) -> None:
    result = operate("config", "save", "--control-plane", URL, "--token", "clp_typed", "--signing-key", "build.key")

    text = file.read_text()
    assert result.status == 0
    assert (f'control-plane = "{URL}"' in text, 'token = "clp_typed"' in text, 'signing-key = "build.key"' in text) == (
        True, True, True,
    )  # fmt: skip
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "clp_typed" not in result.out + result.err


def test_save_reads_a_token_from_standard_input(tmp_path: Path) -> None:
    world = TestWorld(
        env={"XDG_CONFIG_HOME": str(tmp_path)},
        cwd=tmp_path,
        stdin=Screen(typed="clp_piped\n"),
        stdout=Screen(),
        stderr=Screen(),
    )

    status = run(["config", "save", "--token", "-"], world)

    assert status == 0
    assert (tmp_path / "chainloop" / "config.toml").read_text() == 'token = "clp_piped"\n'


def test_save_of_an_empty_standard_input_is_refused(operate, file: Path) -> None:
    assert operate("config", "save", "--token", "-").status == 2
    assert not file.exists()


@pytest.mark.parametrize("named", ["flag", "variable"])
def test_a_configuration_file_that_was_named_must_be_there(operate, tmp_path: Path, named: str) -> None:
    absent = str(tmp_path / "absent.toml")
    words, env = (["--config", absent], {}) if named == "flag" else ([], {"CHAINLOOP_CONFIG": absent})

    result = operate("organization", "list", *words, env=env)

    assert result.status == 1
    assert f"there is no configuration file {absent}" in result.err
    assert "CHAINLOOP_CONFIG" in result.err


def test_save_makes_the_file_that_was_named(operate, tmp_path: Path) -> None:
    assert operate("config", "save", "--org", "acme", "--config", tmp_path / "new.toml").status == 0
    assert (tmp_path / "new.toml").exists()


def test_a_refused_token_names_its_origin_when_another_one_is_kept(operate, stub) -> None:
    stub.replies = [problem(401, "not-authenticated", "the token is not known")]
    alone = operate("organization", "list")
    operate("config", "save", "--token", "clp_the-token")
    same = operate("organization", "list")
    operate("config", "save", "--token", "clp_another")

    other = operate("organization", "list")

    assert [result.status for result in (alone, same, other)] == [5, 5, 5]
    assert not any("was not used" in result.err for result in (alone, same))
    assert "the token came from CHAINLOOP_TOKEN; another one (token in " in other.err


def test_save_does_not_keep_what_only_the_environment_says(operate, file: Path) -> None:
    operate("config", "save", "--org", "acme")

    assert file.read_text() == 'organization = "acme"\n'


def test_save_leaves_the_rest_as_it_was(operate, file: Path) -> None:
    operate("config", "save", "--org", "acme", "--token", "clp_one")
    operate("config", "save", "--token", "clp_two")

    assert file.read_text() == 'token = "clp_two"\norganization = "acme"\n'


@pytest.mark.parametrize("words", [(), ("--control-plane", "http://cp.example"), ("--control-plane", "nonsense")])
def test_r23_save_refuses_nothing_and_what_is_no_safe_address(operate, file: Path, words: tuple[str, ...]) -> None:
    assert operate("config", "save", *words).status == 2
    assert not file.exists()


def test_what_was_saved_is_used(operate, stub) -> None:
    stub.replies = [page(organization())]
    operate("config", "save", "--control-plane", stub.url, "--token", "clp_saved")

    result = operate("organization", "list", env={"CHAINLOOP_CONTROL_PLANE_API": "", "CHAINLOOP_TOKEN": "clp_env"})

    assert (result.status, stub.seen[0].headers["Authorization"]) == (0, "Bearer clp_env")


def test_view_shows_where_each_value_comes_from_and_no_secret(operate, stub) -> None:
    operate("config", "save", "--org", "acme")

    result = operate("config", "view", "--control-plane", URL)

    assert f"│ control-plane │ {URL} │ --control-plane" in result.out
    assert "CHAINLOOP_TOKEN" in result.out
    assert "organization in " in result.out
    assert "the-token" not in result.out + result.err


def test_view_as_json_has_every_setting(operate) -> None:
    document = operate("config", "view", "-o", "json").json

    assert document["settings"]["token"] == {"value": "***", "source": "environment"}
    assert document["settings"]["organization"] is None


def test_reset_removes_the_file_and_may_be_repeated(operate, file: Path) -> None:
    operate("config", "save", "--org", "acme")

    first, second = (operate("config", "reset") for _ in range(2))

    assert (first.status, second.status, file.exists()) == (0, 0, False)
    assert "there was no configuration" in second.err
