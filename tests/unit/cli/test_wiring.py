from __future__ import annotations

from pathlib import Path

import pytest

from chainloop_ci.cli.builder import builder_id
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.http import PATIENCE_SECONDS
from chainloop_ci.errors import NotAuthenticatedError, UsageError
from tests.unit.cli.conftest import Screen

URL = {"CHAINLOOP_CONTROL_PLANE_API": "https://cp.test"}


@pytest.fixture
def make(tmp_path: Path):
    def make(env=None, *, terminal=False, typed="", **given) -> World:
        world = World(
            env={"XDG_CONFIG_HOME": str(tmp_path), **(env or {})},
            cwd=tmp_path,
            stdin=Screen(terminal=terminal, typed=typed),
            stdout=Screen(terminal=terminal),
            stderr=Screen(terminal=terminal),
        )
        world.given.update(given)
        return world

    return make


def test_what_was_typed_wins_over_the_variable(make) -> None:
    world = make({**URL, "CHAINLOOP_TOKEN": "of-variable"}, token="typed", control_plane="https://other.test")

    address = world.http_client().address

    assert (address.url, address.token) == ("https://other.test", "typed")


def test_without_an_address_the_one_of_the_attestation_is_used(make) -> None:
    assert make(token="t").http_client("https://begun.test").address.url == "https://begun.test"


def test_without_any_address_the_user_is_told_where_to_say_it(make) -> None:
    with pytest.raises(UsageError, match="address of the control plane") as caught:
        make(token="t").http_client()

    assert "CHAINLOOP_CONTROL_PLANE_API" in str(caught.value.hint)


def test_without_a_token_the_user_is_told_where_to_get_one(make) -> None:
    with pytest.raises(NotAuthenticatedError, match="no API token"):
        make(URL).http_client()


def test_r35_an_empty_token_names_its_variable(make) -> None:
    with pytest.raises(NotAuthenticatedError, match="CHAINLOOP_TOKEN is set but empty") as caught:
        make({**URL, "CHAINLOOP_TOKEN": ""}).http_client()
    assert (caught.value.hint or "").startswith("set CHAINLOOP_TOKEN: ")


def test_r35_an_empty_variable_does_not_matter_when_a_token_was_typed(make) -> None:
    assert make({**URL, "CHAINLOOP_TOKEN": ""}, token="t").http_client().address.token == "t"


def test_r35_an_empty_variable_is_an_error_even_with_a_saved_token(make, tmp_path) -> None:
    (tmp_path / "chainloop").mkdir()
    (tmp_path / "chainloop" / "config.toml").write_text('token = "saved"\n')
    (tmp_path / "chainloop" / "config.toml").chmod(0o600)

    with pytest.raises(NotAuthenticatedError, match="set but empty"):
        make({**URL, "CHAINLOOP_TOKEN": " "}).http_client()


@pytest.mark.parametrize("typed", ["", " "])
def test_r35_an_empty_token_on_the_line_names_the_option_whatever_else_there_is(make, typed: str) -> None:
    with pytest.raises(NotAuthenticatedError, match="--token is given but empty"):
        make({**URL, "CHAINLOOP_TOKEN": "t"}, token=typed).http_client()


@pytest.mark.parametrize("typed", ["", " "])
def test_an_empty_address_counts_as_not_given(make, typed: str) -> None:
    assert make({**URL, "CHAINLOOP_TOKEN": "t"}, control_plane=typed).http_client().base_url == "https://cp.test"

    with pytest.raises(UsageError, match="the address of the control plane is not known"):
        make({"CHAINLOOP_CONTROL_PLANE_API": typed, "CHAINLOOP_TOKEN": "t"}).http_client()


def test_r23_a_token_is_not_sent_over_http_to_another_machine(make) -> None:
    with pytest.raises(UsageError, match="not sent over http"):
        make({"CHAINLOOP_CONTROL_PLANE_API": "http://cp.test"}, token="t").http_client()


def test_the_patience_is_what_was_typed_or_its_variable_or_that_of_the_client(make) -> None:
    variable = {"CHAINLOOP_PATIENCE_SECONDS": "120"}

    found = [make({}), make(variable), make(variable, patience=3)]

    assert [world.patience_seconds for world in found] == [PATIENCE_SECONDS, 120.0, 3.0]


@pytest.mark.parametrize("word", ["0", "-1", "1.5", "soon", "3601", "9" * 5000, "\u0663"])
def test_a_patience_that_is_no_number_of_seconds_is_refused(make, word: str) -> None:
    with pytest.raises(UsageError, match="CHAINLOOP_PATIENCE_SECONDS"):
        make({**URL, "CHAINLOOP_TOKEN": "t", "CHAINLOOP_PATIENCE_SECONDS": word}).http_client()


def test_no_patience_at_all_is_refused_when_typed(make) -> None:
    with pytest.raises(UsageError, match="expected seconds from 1 to 3600, found '0'"):
        make({**URL, "CHAINLOOP_TOKEN": "t"}, patience=0).http_client()


def test_insecure_is_a_warning(make) -> None:
    world = make({"CHAINLOOP_CONTROL_PLANE_API": "http://cp.test"}, token="t", insecure=True)

    world.http_client()

    assert "not protected" in world.stderr.getvalue()


@pytest.mark.parametrize(("word", "expected"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_a_switch_may_be_a_variable(make, word, expected) -> None:
    assert make({"CHAINLOOP_GRACEFUL_EXIT": word}).switch("graceful_exit") is expected


def test_a_switch_that_is_no_truth_value_is_refused(make) -> None:
    with pytest.raises(UsageError, match="CHAINLOOP_GRACEFUL_EXIT: expected true or false"):
        make({"CHAINLOOP_GRACEFUL_EXIT": "maybe"}).switch("graceful_exit")


@pytest.mark.parametrize("env", [{"RUNNER_DEBUG": "1"}, {"CHAINLOOP_DEBUG": "true"}])
def test_debug_may_be_a_variable(make, env) -> None:
    assert make(env).debug


def test_nobody_is_asked_without_a_terminal(make) -> None:
    assert make().confirm("Sure?") is False
    assert make(yes=True).confirm("Sure?") is True


@pytest.mark.parametrize(("typed", "expected"), [("y\n", True), ("n\n", False), ("", False)])
def test_a_person_is_asked(make, typed, expected) -> None:
    assert make(terminal=True, typed=typed).confirm("Sure?") is expected


def test_ids_and_handles_are_new_every_time(make) -> None:
    world = make()

    assert world.new_id() != world.new_id()
    assert world.new_handle() != world.new_handle()
    assert len(world.new_handle()) >= 43


def test_a_value_that_is_no_possible_path_is_no_file(make) -> None:
    assert make().file_exists("x" * 100_000) is False
    assert make().file_exists("a\0b") is False


def test_the_builder_names_the_version() -> None:
    assert builder_id().startswith("chainloop.dev/cli/")


@pytest.mark.parametrize(
    ("env", "given", "expected"),
    [
        ({"CHAINLOOP_LOCAL_STATE_PATH": "variable.json"}, {"local_state_path": "own.json"}, "own.json"),
        ({"CHAINLOOP_LOCAL_STATE_PATH": "variable.json", "CI": "true"}, {}, "variable.json"),
    ],
)
def test_the_option_wins_over_the_variable_and_that_over_the_runners_folder(make, env, given, expected) -> None:
    world = make({**env, "RUNNER_TEMP": "/elsewhere", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "1"}, **given)

    assert world.state().path == world.cwd / expected
