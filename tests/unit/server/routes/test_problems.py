import chainloop_ci.errors
import server.errors
from chainloop_ci.errors import ChainloopError
from server.routes.problems import STATUS_OF_CODE

CLIENT_ONLY = {
    "error",
    "path-refused",
    "file-unreadable",
    "file-unwritable",
    "output-unwritable",
    "config-invalid",
    "gate-closed",
    "variables-missing",
    "image-unresolved",
    "registry-login-failed",
    "signing-key-missing",
    "state-locked",
    "state-missing",
    "state-unwritable",
    "state-broken",
    "state-foreign",
    "export-altered",
}
"""Codes of the command line, which the server never raises."""

OPERATOR_ONLY = {"backup-invalid"}
"""Codes of `python -m server`, which no request meets."""


def codes():
    modules = (chainloop_ci.errors, server.errors)
    return {
        item.code
        for module in modules
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, ChainloopError)
    }


def test_every_error_that_the_server_may_raise_has_a_status():
    assert codes() - CLIENT_ONLY - OPERATOR_ONLY <= set(STATUS_OF_CODE)


def test_every_code_of_the_table_belongs_to_an_error():
    assert set(STATUS_OF_CODE) - codes() == {"method-not-allowed"}


def test_no_refusal_looks_like_a_success():
    assert all(400 <= status < 600 for status in STATUS_OF_CODE.values())
