"""The operator's command line: `python -m server …`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

import chainloop_ci
from chainloop_ci.errors import ChainloopError, ConfigInvalidError, Finding
from server.admin import backup_commands, data_folder, operator_tokens, reseal_command, sweep_commands
from server.config import ServerConfig
from server.errors import StoreUnusableError
from server.model.names import require_name
from server.wiring import World

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2

_SETTINGS = """
settings (environment):
  CHAINLOOP_DATA                folder of database, blobs and the
                                instance token (.data)
  CHAINLOOP_DATABASE_URL        PostgreSQL database for several servers:
                                postgresql://user:password@host/name (none:
                                SQLite in the data folder)
  CHAINLOOP_DATABASE_URL_FILE   file that holds the same (none)
  CHAINLOOP_BLOBS               folder of the artifacts, which servers of one
                                database share (in the data folder)
  PORT                          port to listen on (8080)
  CHAINLOOP_BIND                address to listen on (127.0.0.1: this machine
                                only)
  CHAINLOOP_PUBLIC_URL          address under which others reach the server;
                                the only source of links (http://<bind>:<port>)
  CHAINLOOP_TRUSTED_PROXIES     networks whose X-Forwarded-For is believed,
                                separated by commas (none)
  CHAINLOOP_WORKERS             processes (2)
  CHAINLOOP_THREADS             requests at once per process (16)
  CHAINLOOP_MAX_BLOB_BYTES      largest artifact (17179869184)
  CHAINLOOP_RUN_QUOTA_BYTES     what one workflow run may upload (0: no bound
                                but the organization's)
  CHAINLOOP_EVENT_RETENTION     how long events and finished deliveries are kept
                                (90d)
  CHAINLOOP_UPLOAD_GRACE        how long an upload that no attestation refers
                                to is kept: 90m, 24h, 7d (24h)
  CHAINLOOP_MAX_OPEN_RUNS       runs that one token may have open at once
                                (10000; 0: any number)
  CHAINLOOP_MIN_FREE_BYTES      free disk space below which /readyz warns
                                (268435456)
  CHAINLOOP_CHECK_MEMORY_BYTES  memory of content checks of one process
                                (1073741824)
  CHAINLOOP_SHUTDOWN_SECONDS    time for requests in progress after SIGTERM or
                                Ctrl-C (30)
  CHAINLOOP_EGRESS_ALLOW        hosts, host:port or networks that integrations
                                may reach beside the public internet (none)
  CHAINLOOP_EGRESS_PROXY        http proxy for all other outgoing requests
                                (none)
  CHAINLOOP_EGRESS_CA           PEM file of authorities that are trusted beside
                                the system's (none)
  CHAINLOOP_SECRET_KEY          keys that credentials are sealed with, of which
                                the first seals (secret.key in the data folder)
  CHAINLOOP_SECRET_KEY_FILE     file with the same, one on each line (none)
  CHAINLOOP_GITHUB_APP_WEBHOOK_SECRET  what GitHub signs our App's webhooks
                                with, one or two secrets (none)
  CHAINLOOP_GITHUB_APP_URL      GitHub that the App is registered at
                                (https://github.com)
"""


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 wrong options or settings."""
    options = _parser().parse_args(arguments)
    given = {"CHAINLOOP_DATA": options.data, "PORT": getattr(options, "port", None)}
    try:
        config = ServerConfig.from_environment({**env, **{name: text for name, text in given.items() if text}})
        return _COMMANDS[options.command](config, options)
    except ChainloopError as error:
        if isinstance(error, ConfigInvalidError):
            # Its message has all its findings.
            _complain(error.message, error.hint)
            return EXIT_USAGE
        if isinstance(error, StoreUnusableError) and error.reason in _FORBIDDEN:
            # What it says is for users of the server; whoever types this is its operator.
            _complain_of_database(error.reason)
        else:
            _complain(error.message, error.hint, error.findings)
        return EXIT_FAILED
    except SQLAlchemyError as error:
        _complain_of_database(str(getattr(error, "orig", None) or type(error).__name__))
        return EXIT_FAILED
    except OSError as error:
        hint = _OWNER_HINT if isinstance(error, PermissionError) else None
        _complain(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), hint)
        return EXIT_FAILED


_FORBIDDEN = ("unable to open database file", "attempt to write a readonly database")
"""What SQLite says of a file that belongs to somebody else."""
_OWNER_HINT = "run the command as the user whose data folder it is; its files must not belong to anybody else"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors say what helps; those of its commands are of the same kind."""

    def error(self, message: str) -> NoReturn:
        """End the process as every other wrong option does."""
        self.print_usage(sys.stderr)
        _complain(message, f"`{self.prog} --help` says what it takes")
        self.exit(EXIT_USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m server",
        description="Run and look after the Chainloop control plane.",
        epilog=_SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=chainloop_ci.__version__)
    shared = _Parser(add_help=False)
    shared.add_argument("--data", metavar="FOLDER", help="data folder; default: CHAINLOOP_DATA, else .data")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        parents=[shared],
        help="serve until SIGTERM or Ctrl-C; makes a new data folder",
        description="Serve until SIGTERM or Ctrl-C. An empty or absent data folder is made ready.",
    )
    serve.add_argument("--port", metavar="N", help="port to listen on; default: PORT, else 8080")
    backup_commands.add_commands(commands, shared)
    sweep_commands.add_commands(commands, shared)
    reseal_command.add_commands(commands, shared)
    token = commands.add_parser(
        "token",
        parents=[shared],
        help="make, list or revoke the operator's instance tokens",
        description="Make, list or revoke the operator's instance tokens.",
    )
    token.add_argument("action", choices=("create", "list", "revoke"), help="what to do")
    token.add_argument("--name", default="operator", help="name of the token (operator)")
    commands.add_parser(
        "openapi",
        parents=[shared],
        help="print the OpenAPI 3.1 document of the API",
        description="Print the OpenAPI 3.1 document of the API.",
    )
    return parser


def _serve(config: ServerConfig, _: argparse.Namespace) -> int:
    from server.admin.serve import serve

    serve(config)
    return EXIT_OK


def _token(config: ServerConfig, options: argparse.Namespace) -> int:
    return data_folder.despite_full_disk(config, lambda: _do_token(config, options))


def _do_token(config: ServerConfig, options: argparse.Namespace) -> int:
    database = data_folder.open_current(config)
    require_name("token", options.name)
    if options.action == "create":
        _say(operator_tokens.create(database, World(), options.name))
    elif options.action == "revoke":
        operator_tokens.revoke(database, World(), options.name)
        _say(f"instance token {options.name} is revoked")
    else:
        for token in operator_tokens.list_all(database):
            ended = "revoked" if token.revoked_at else "works"
            used = f"last used {token.last_used_at:%Y-%m-%dT%H:%M:%SZ}" if token.last_used_at else "never used"
            _say(f"{token.name}  {ended}  {used} {token.last_used_address or ''}".rstrip())
    return EXIT_OK


def _openapi(config: ServerConfig, _: argparse.Namespace) -> int:
    from server.routes.openapi import openapi_document
    from server.routes.table import ENDPOINTS

    _say(json.dumps(openapi_document(ENDPOINTS, config.public_url), indent=2))
    return EXIT_OK


_COMMANDS = {
    **backup_commands.COMMANDS,
    **sweep_commands.COMMANDS,
    **reseal_command.COMMANDS,
    "serve": _serve,
    "token": _token,
    "openapi": _openapi,
}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _complain_of_database(cause: str) -> None:
    _complain(f"the database cannot be used: {cause}", _OWNER_HINT if cause in _FORBIDDEN else None)


def _complain(message: str, hint: str | None, findings: Sequence[Finding] = ()) -> None:
    listed = "".join(f"  {finding.message}\n" for finding in findings)
    sys.stderr.write(f"error: {message}\n" + listed + (f"hint: {hint}\n" if hint else ""))
