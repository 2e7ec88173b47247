"""R24: variables that hold secrets are never recorded."""

from __future__ import annotations

import pytest

from chainloop_ci.contract.secret_names import check_variables, is_secret_name, is_secret_value, secret_values

SECRET_NAMES = [
    "GITHUB_TOKEN", "CI_JOB_TOKEN", "CI_BUILD_TOKEN", "CI_DEPLOY_PASSWORD", "CI_REGISTRY_PASSWORD",
    "CI_DEPENDENCY_PROXY_PASSWORD", "CI_JOB_JWT", "CI_JOB_JWT_V2", "CI_JOB_XTOKEN", "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "NPM_TOKEN", "TOKEN", "SECRET",
    "MY_SECRET", "MY_SECRETS", "SECRET_KEY_BASE", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PASSWORD",
    "DB_PASSWORD", "PASSWORD_FILE", "MYSQL_PWD", "DB_PASS", "GPG_PASSPHRASE", "COSIGN_PASSWORD",
    "COSIGN_PRIVATE_KEY", "SSH_PRIVATE_KEY", "SIGNING_KEY", "SIGNING_KEY_BASE64", "API_KEY", "STRIPE_API_KEY",
    "SENTRY_APIKEY", "AZURE_STORAGE_KEY", "AZURE_STORAGE_CONNECTION_STRING", "GCP_CREDENTIALS", "ID_JWT",
    "npm_token", "CHAINLOOP_TOKEN", "CHAINLOOP_SIGNING_KEY", "CHAINLOOP_SIGNING_PASSWORD",
    "CHAINLOOP_WORKFLOW_NAME", "CHAINLOOP_ANYTHING",
]  # fmt: skip

USUAL_NAMES = [
    "CI", "GITHUB_ACTOR", "GITHUB_REF", "GITHUB_SHA", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_WORKFLOW",
    "GITHUB_EVENT_NAME", "RUNNER_OS", "RUNNER_NAME", "CI_PIPELINE_ID", "CI_PIPELINE_URL", "CI_JOB_ID",
    "CI_JOB_URL", "CI_JOB_NAME", "CI_COMMIT_SHA", "CI_COMMIT_REF_NAME", "CI_PROJECT_URL", "CI_SERVER_URL",
    "CI_RUNNER_VERSION", "CI_JOB_TOKEN_SCOPE_ENABLED", "GITLAB_USER_EMAIL", "BUILD_URL", "BUILD_NUMBER",
    "JOB_NAME", "GIT_COMMIT", "GIT_BRANCH", "NODE_NAME", "EXECUTOR_NUMBER", "WORKSPACE", "PWD", "OLDPWD",
    "PATH", "HOME", "USER", "LANG", "SHELL", "HOSTNAME", "CUSTOM_VAR", "RELEASE_CHANNEL", "VERSION",
    "ENVIRONMENT", "REGION", "SONAR_PROJECT_KEY", "JIRA_ISSUE_KEY", "CACHE_KEY", "MONKEY", "KEYBOARD",
    "TOKENIZER_VERSION", "AUTHOR", "COMPASS", "SECRETARY", "CHAINLOOP_DAGGER_CLIENT",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_r24_a_name_that_says_secret_is_secret(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", USUAL_NAMES)
def test_r24_a_usual_name_is_not(name):
    assert not is_secret_name(name)


def test_r24_values_of_secrets_are_collected_unless_they_are_short():
    env = {"GITHUB_TOKEN": "ghs_0123456789\n", "DB_PASSWORD": "short", "PLAIN": "something-long"}

    assert secret_values(env) == {"ghs_0123456789"}


def test_r24_names_and_addresses_of_our_own_settings_are_not_secret_values():
    env = {
        "CHAINLOOP_WORKFLOW_NAME": "release-pipeline",
        "CHAINLOOP_SERVER_URL": "https://chainloop.test",
        "CHAINLOOP_SIGNING_KEY": "-----BEGIN PRIVATE KEY-----",
        "CHAINLOOP_SOMETHING_NEW": "unknown-to-this-list",
    }

    assert secret_values(env) == {"-----BEGIN PRIVATE KEY-----", "unknown-to-this-list"}


def test_r24_a_harmless_name_with_the_value_of_a_secret_is_refused_without_the_value():
    secrets = secret_values({"CI_JOB_TOKEN": "glcbt-64_0123456789"})

    findings = check_variables(
        {
            "BUILD_ID": "12",
            "COPY": "glcbt-64_0123456789 ",
            "CI_REPOSITORY_URL": "https://ci:glcbt-64_0123456789@git.test/a",
        },
        secrets,
    )

    assert [(finding.code, finding.path) for finding in findings] == [
        ("secret-variable", "COPY"),
        ("secret-variable", "CI_REPOSITORY_URL"),
    ]
    assert not any("glcbt" in finding.message for finding in findings)


def test_r24_a_secret_name_is_refused_without_knowing_any_value():
    (finding,) = check_variables({"NPM_TOKEN": "npm_abcdefgh"})

    assert "NPM_TOKEN" in finding.message
    assert "npm_abcdefgh" not in finding.message


def test_r24_a_short_secret_inside_a_longer_value_is_not_looked_for():
    assert not is_secret_value("postgres:15-alpine", ["postgres"])
    assert is_secret_value("postgres", ["postgres"])


def test_r24_empty_values_are_equal_to_nothing():
    assert check_variables({"EMPTY": ""}, secret_values({"GITHUB_TOKEN": ""})) == ()


def test_r24_eight_characters_are_a_secret_and_seven_are_not():
    assert secret_values({"NPM_TOKEN": "12345678", "GH_TOKEN": "1234567"}) == {"12345678"}


def test_r24_a_secret_of_sixteen_characters_is_found_inside_a_value_and_one_of_fifteen_is_not():
    assert is_secret_value("x" + "a" * 16 + "x", ["a" * 16])
    assert not is_secret_value("x" + "a" * 15 + "x", ["a" * 15])


@pytest.mark.parametrize("length", [8, 15])
def test_r24_spaces_around_a_short_secret_do_not_hide_it(length):
    assert is_secret_value(f" {'a' * length} ", ["a" * length])
