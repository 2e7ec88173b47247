"""Settings, their origin, and where a token may go."""

from __future__ import annotations

import sys

import click
import pytest

from chainloop_ci.config import (
    ConfigFile,
    Secret,
    Setting,
    Settings,
    Source,
    config_path,
    find_truth,
    load_config,
    reset_config,
    resolve_settings,
    save_config,
)
from chainloop_ci.errors import ConfigInvalidError, UsageError

posix = pytest.mark.skipif(sys.platform == "win32", reason="rights as POSIX has them")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chainloop" / "config.toml"


def test_a_file_that_was_named_must_be_there(path):
    with pytest.raises(ConfigInvalidError, match="there is no configuration file"):
        load_config(path, must_exist=True)


@pytest.mark.parametrize(("kept", "expected"), [("clp_one", ""), ("clp_other", "token in ")])
def test_a_token_that_stands_before_another_one_is_told_apart(path, kept, expected):
    found = resolve_settings({}, {"CHAINLOOP_TOKEN": "clp_one"}, ConfigFile(path, {"token": kept}))

    assert found.shadowed_token.startswith(expected)
    assert bool(found.shadowed_token) is bool(expected)


def test_an_option_wins_over_the_environment_and_that_over_the_file(path):
    file = ConfigFile(path, {"control-plane": "https://file", "organization": "file", "ca": "/file.pem"})
    env = {"CHAINLOOP_CONTROL_PLANE_API": "https://env", "CHAINLOOP_ORGANIZATION": "env"}

    found = resolve_settings({"control-plane": "https://flag", "organization": None}, env, file)

    assert found.control_plane == Setting("https://flag", Source.FLAG, "--control-plane")
    assert found.organization == Setting("env", Source.ENVIRONMENT, "CHAINLOOP_ORGANIZATION")
    assert found.ca == Setting("/file.pem", Source.FILE, f"ca in {path}")


def test_nothing_said_is_nothing_set():
    assert resolve_settings({}, {}, ConfigFile()) == Settings()


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("CHAINLOOP_CONTROL_PLANE_API", "control_plane"),
        ("CHAINLOOP_CONTROL_PLANE_API_CA", "ca"),
        ("CHAINLOOP_ORGANIZATION", "organization"),
        ("CHAINLOOP_TOKEN", "token"),
        ("CHAINLOOP_SIGNING_KEY", "signing_key"),
    ],
)
def test_each_variable_reaches_its_setting(variable, field):
    found = getattr(resolve_settings({}, {variable: "value"}, ConfigFile()), field)

    assert (found.source, found.where) == (Source.ENVIRONMENT, variable)
    assert (found.value.reveal() if isinstance(found.value, Secret) else found.value) == "value"


@pytest.mark.parametrize("empty", ["", "  \n"])
def test_an_empty_variable_counts_as_not_set_and_is_named(path, empty):
    file = ConfigFile(path, {"token": "clp_file"})

    found = resolve_settings({}, {"CHAINLOOP_TOKEN": empty}, file)

    assert found.token == Setting(Secret("clp_file"), Source.FILE, f"token in {path}")
    assert found.empty_variables == ("CHAINLOOP_TOKEN",)


def test_a_pasted_newline_is_cut_off_a_token():
    found = resolve_settings({}, {"CHAINLOOP_TOKEN": "clp_x\n"}, ConfigFile())

    assert found.token is not None
    assert found.token.value.reveal() == "clp_x"


@pytest.mark.parametrize(("word", "expected"), [("true", True), ("1", True), ("FALSE", False), ("no", False)])
def test_insecure_is_a_truth_value(word, expected):
    found = resolve_settings({}, {"CHAINLOOP_API_INSECURE": word}, ConfigFile())

    assert found.insecure == Setting(expected, Source.ENVIRONMENT, "CHAINLOOP_API_INSECURE")


@pytest.mark.parametrize("word", ["true", "False", "t", "f", "1", "0", "yes", "no", "y", "n", "on", "off", "", " y\n"])
def test_a_variable_is_as_true_here_as_it_is_to_click(word):
    assert find_truth(word) is click.BOOL.convert(word, None, None)


@pytest.mark.parametrize("word", ["maybe", "2", "truee"])
def test_what_is_no_truth_value_is_neither(word):
    assert find_truth(word) is None


def test_insecure_that_is_no_truth_value_is_refused():
    with pytest.raises(UsageError, match="CHAINLOOP_API_INSECURE: expected true or false, found 'maybe'"):
        resolve_settings({}, {"CHAINLOOP_API_INSECURE": "maybe"}, ConfigFile())


def test_no_secret_shows_in_a_text_of_the_settings(path):
    env = dict.fromkeys(("CHAINLOOP_TOKEN", "CHAINLOOP_SIGNING_KEY", "CHAINLOOP_SIGNING_PASSWORD"), "hidden-value")
    file = ConfigFile(path, {"token": "hidden-value"})

    shown = f"{resolve_settings({}, env, file)} {file} {Secret('hidden-value')} {Secret('hidden-value')!r}"

    assert "hidden-value" not in shown


def test_equal_secrets_are_equal_and_others_not():
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"XDG_CONFIG_HOME": "/config", "HOME": "/home/ana"}, "/config/chainloop/config.toml"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "/home/ana"}, "/home/ana/.config/chainloop/config.toml"),
        ({"HOME": "/home/ana"}, "/home/ana/.config/chainloop/config.toml"),
    ],
)
def test_the_file_is_in_the_users_configuration_folder(env, expected):
    assert config_path(env).as_posix() == expected


def test_the_option_names_another_file():
    assert config_path({}, "own.toml").as_posix() == "own.toml"


def test_without_a_home_folder_the_option_is_named():
    with pytest.raises(ConfigInvalidError, match="no home folder") as caught:
        config_path({})

    assert "--config" in str(caught.value.hint)


def test_what_is_saved_is_loaded(path):
    values = {"control-plane": "https://cp.test", "token": 'clp_"\\ü', "organization": "acme", "ca": "/ca.pem"}

    save_config(path, values)

    assert load_config(path) == ConfigFile(path, {key: values[key] for key in values})


def test_saving_changes_only_what_is_named_and_an_empty_text_removes(path):
    save_config(path, {"control-plane": "https://cp.test", "token": "clp_x"})

    found = save_config(path, {"token": "", "organization": "acme"})

    assert found.values == {"control-plane": "https://cp.test", "organization": "acme"}


@posix
def test_the_file_is_for_its_user_only(path):
    save_config(path, {"token": "clp_x"})

    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o604])
def test_a_file_that_others_may_read_is_warned_about_and_saving_mends_it(path, mode):
    save_config(path, {"token": "clp_x"})
    path.chmod(mode)

    assert "chmod 600" in load_config(path).warnings[0]
    assert save_config(path, {"organization": "acme"}).warnings == ()


def test_a_missing_file_is_empty(path):
    assert load_config(path) == ConfigFile(path)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"token = ", "no TOML"),
        (b"\xff", "no TOML"),
        (b"token = 5\norganization = true\n", "token: expected a text, found int; organization: .* found bool"),
    ],
)
def test_a_broken_file_says_what_is_wrong(tmp_path, raw, message):
    (tmp_path / "config.toml").write_bytes(raw)

    with pytest.raises(ConfigInvalidError, match=message):
        load_config(tmp_path / "config.toml")


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    with pytest.raises(ConfigInvalidError, match="cannot be read"):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"colour": "red"}, "unknown-field"), ({"token": "a\nb"}, "invalid-field"), ({"token": "a\x7f"}, "invalid-field")],
)
def test_what_cannot_be_saved_is_refused_and_changes_nothing(path, changes, code):
    with pytest.raises(ConfigInvalidError) as caught:
        save_config(path, changes)

    assert [finding.code for finding in caught.value.findings] == [code]
    assert not path.exists()


def test_the_file_of_another_program_is_not_read_and_never_changed(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('organization = "acme"\n[control-plane]\nAPI = "api.test:443"\n[auth]\ntoken = "x"\n')
    before = path.read_bytes()

    found = load_config(path)

    assert found.values == {"organization": "acme"}
    assert found.foreign == ("control-plane", "auth")
    assert any("control-plane, auth" in warning for warning in found.warnings)
    for change in (lambda: save_config(path, {"token": "clp_x"}), lambda: reset_config(path)):
        with pytest.raises(ConfigInvalidError, match="another program"):
            change()
    assert path.read_bytes() == before


def test_reset_removes_the_file_and_tells_whether_there_was_one(path):
    save_config(path, {"token": "clp_x"})

    assert [reset_config(path), reset_config(path)] == [True, False]
    assert not path.exists()


@pytest.mark.parametrize("raw", [b"token = ", b"token = 5"])
def test_reset_removes_a_broken_file_of_ours(tmp_path, raw):
    (tmp_path / "config.toml").write_bytes(raw)

    assert reset_config(tmp_path / "config.toml")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigInvalidError, match="cannot be"):
        save_config(tmp_path / "file" / "config.toml", {"token": "clp_x"})
