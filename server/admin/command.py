"""The operator's command line: `python -m server …`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

import chainloop_ci
from chainloop_ci.errors import ChainloopError, ConfigInvalidError
from server.admin import data_folder, operator_tokens
from server.admin.doctor import Diagnosis, diagnose
from server.cas.registry import open_back_ends
from server.config import ServerConfig
from server.model.names import require_name
from server.services.orphans import remove_orphans
from server.wiring import World

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2

_AGE = re.compile(r"([0-9]{1,5})([dhm])\Z")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}

_SETTINGS = """
settings (environment):
  CHAINLOOP_DATA             folder of database, blobs and the administrator's token (.data)
  PORT                       port to listen on (8080)
  CHAINLOOP_BIND             address to listen on (127.0.0.1: this machine only)
  CHAINLOOP_PUBLIC_URL       address under which others reach the server; the only source of links (http://<bind>:<port>)
  CHAINLOOP_TRUSTED_PROXIES  networks whose X-Forwarded-For is believed, separated by commas (none)
  CHAINLOOP_WORKERS          processes (2)
  CHAINLOOP_THREADS          requests at once per process (16)
  CHAINLOOP_MAX_BLOB_BYTES   largest artifact (17179869184)
  CHAINLOOP_RUN_QUOTA_BYTES  what one workflow run may upload (0: no bound but the organization's)
  CHAINLOOP_MIN_FREE_BYTES   free disk space below which /readyz warns (268435456)
  CHAINLOOP_SHUTDOWN_SECONDS time for requests in progress after SIGTERM or Ctrl-C (30)
"""


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 wrong options or settings."""
    options = _parser().parse_args(arguments)
    given = {"CHAINLOOP_DATA": options.data, "PORT": getattr(options, "port", None)}
    try:
        config = ServerConfig.from_environment({**env, **{name: text for name, text in given.items() if text}})
        return _COMMANDS[options.command](config, options)
    except ChainloopError as error:
        _complain(error.message, error.hint)
        return EXIT_USAGE if isinstance(error, ConfigInvalidError) else EXIT_FAILED
    except SQLAlchemyError as error:
        _complain(f"the database cannot be used: {getattr(error, 'orig', None) or type(error).__name__}", None)
        return EXIT_FAILED
    except OSError as error:
        _complain(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), None)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server",
        description="Run and look after the Chainloop control plane.",
        epilog=_SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=chainloop_ci.__version__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", metavar="FOLDER", help="data folder; default: CHAINLOOP_DATA, else .data")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve", parents=[shared], help="serve until SIGTERM or Ctrl-C; makes a new data folder"
    )
    serve.add_argument("--port", metavar="N", help="port to listen on; default: PORT, else 8080")
    commands.add_parser("migrate", parents=[shared], help="bring the database to this server's version")
    doctor = commands.add_parser(
        "doctor", parents=[shared], help="check database, attestations and blobs; exit 1: broken"
    )
    doctor.add_argument("-o", "--output", choices=("table", "json"), default="table", help="form of the findings")
    gc = commands.add_parser("gc", parents=[shared], help="remove stored content that belongs to no organization")
    gc.add_argument(
        "--older-than", metavar="AGE", type=_age, default=timedelta(days=7), help="such as 12h; default: 7d"
    )
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    token = commands.add_parser("token", parents=[shared], help="make, list or revoke the operator's instance tokens")
    token.add_argument("action", choices=("create", "list", "revoke"), help="what to do")
    token.add_argument("--name", default="operator", help="name of the token (operator)")
    commands.add_parser("openapi", parents=[shared], help="print the OpenAPI 3.1 document of the API")
    return parser


def _serve(config: ServerConfig, _: argparse.Namespace) -> int:
    from server.admin.serve import serve

    serve(config)
    return EXIT_OK


def _migrate(config: ServerConfig, _: argparse.Namespace) -> int:
    before, after = data_folder.migrate(config)
    _say(f"schema {after}: nothing to do" if before == after else f"schema {before or 'none'} -> {after}")
    return EXIT_OK


def _doctor(config: ServerConfig, options: argparse.Namespace) -> int:
    diagnosis = diagnose(config, data_folder.open_existing(config))
    _say(_as_json(diagnosis) if options.output == "json" else _as_table(diagnosis))
    return EXIT_OK if diagnosis.healthy else EXIT_FAILED


def _gc(config: ServerConfig, options: argparse.Namespace) -> int:
    database = data_folder.open_current(config)
    before = World().now() - options.older_than
    back_ends = open_back_ends(config.blobs_path)
    removed = remove_orphans(database, back_ends, written_before=before, dry_run=options.dry_run)
    count, size = len(removed), sum(blob.size_bytes for blob in removed)
    _say(f"{'would remove' if options.dry_run else 'removed'} {count} blob{'' if count == 1 else 's'}, {size} bytes")
    return EXIT_OK


def _age(text: str) -> timedelta:
    match = _AGE.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a number and d, h or m, such as 7d, found {text[:20]!r}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _token(config: ServerConfig, options: argparse.Namespace) -> int:
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


_COMMANDS = {"serve": _serve, "migrate": _migrate, "doctor": _doctor, "gc": _gc, "token": _token, "openapi": _openapi}


def _as_json(diagnosis: Diagnosis) -> str:
    checks = [
        {"name": check.name, "problems": list(check.problems), "warnings": list(check.warnings)}
        for check in diagnosis.checks
    ]
    return json.dumps({"healthy": diagnosis.healthy, "checks": checks, "counts": diagnosis.counts}, indent=2)


def _as_table(diagnosis: Diagnosis) -> str:
    lines = []
    for check in diagnosis.checks:
        lines.append(f"{'FAIL' if check.problems else 'warn' if check.warnings else 'ok':<5} {check.name}")
        lines += [f"      {text}" for text in (*check.problems, *check.warnings)]
    lines += [f"{count:>9} {table}" for table, count in diagnosis.counts.items()]
    return "\n".join(lines)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _complain(message: str, hint: str | None) -> None:
    sys.stderr.write(f"error: {message}\n" + (f"hint: {hint}\n" if hint else ""))
