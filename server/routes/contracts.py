"""Routes of contracts and their revisions."""

from __future__ import annotations

import re
from typing import Any

from flask import request

from chainloop_ci.api.requirements import ContractImpact
from chainloop_ci.api.workflows import Contract, ContractRevision, RevisionSummary
from chainloop_ci.contract.limits import MAX_CONTRACT_BYTES
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.errors import Finding, RequestInvalidError
from server.model.principal import EVERYBODY, OPERATORS, READERS
from server.routes.endpoints import PAGING, Answer, Call, Endpoint, Header, Query
from server.routes.register import read_body
from server.services.contracts import ContractText
from server.services.enforcement_dates import parse_date

_FORMATS: dict[str, ContractFormat | None] = {
    "application/yaml": ContractFormat.YAML,
    "application/json": ContractFormat.JSON,
    "application/cue": ContractFormat.CUE,
    "text/plain": None,
}
_ENTITY_TAG = re.compile(r'"(0|[1-9][0-9]{0,8})"\Z')


def _list(call: Call) -> Any:
    return call.services.contracts.list(call.principal, call.paging)


def _get(call: Call) -> Any:
    return call.services.contracts.get(call.principal, call.path["name"])


def _put(call: Call) -> Any:
    text = ContractText(
        raw=read_body(request),
        format=_FORMATS[request.mimetype],
        description=call.query.get("description"),
        if_match=_expected_revision(),
        must_be_new=_must_be_new(),
        date=parse_date(call.query.get("enforceFrom")),
    )
    revision = call.services.contracts.put(call.principal, call.path["name"], text)
    created = revision.changed and revision.revision == 1
    return Answer(revision, 201 if created else 200, {"ETag": f'"{revision.revision}"'})


def _impact(call: Call) -> Any:
    raw, format_ = read_body(request), _FORMATS[request.mimetype]
    return call.services.impacts.judge(call.principal, call.path["name"], raw, format_, call.paging)


def _delete(call: Call) -> Any:
    return call.services.contracts.delete(call.principal, call.path["name"])


def _list_revisions(call: Call) -> Any:
    return call.services.contracts.list_revisions(call.principal, call.path["name"], call.paging)


def _get_revision(call: Call) -> Any:
    # No revision has a number that the database cannot hold; the largest it can hold is not there either.
    revision = min(int(call.path["revision"]), 2**63 - 1)
    return call.services.contracts.get_revision(call.principal, call.path["name"], revision)


def _expected_revision() -> int | None:
    text = request.headers.get("If-Match")
    if text is None:
        return None
    match = _ENTITY_TAG.match(text.strip())
    if match is None:
        message = f'If-Match names one revision, like "3", found {text[:80]!r}'
        raise RequestInvalidError(message, findings=[Finding("invalid-header", message, path="If-Match")])
    return int(match[1])


def _must_be_new() -> bool:
    text = request.headers.get("If-None-Match")
    if text is not None and text.strip() != "*":
        message = f"If-None-Match may only be *, found {text[:80]!r}"
        raise RequestInvalidError(message, findings=[Finding("invalid-header", message, path="If-None-Match")])
    return text is not None


_TAG = "contracts"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/contracts",
        READERS,
        _list,
        "List contracts by name.",
        _TAG,
        answer=Contract,
        is_list=True,
        query=PAGING,
    ),
    Endpoint(
        "GET",
        "/contracts/<name>",
        EVERYBODY,
        _get,
        "Show a contract; a job's token sees that of its workflow.",
        _TAG,
        answer=Contract,
    ),
    Endpoint(
        "PUT",
        "/contracts/<name>",
        OPERATORS,
        _put,
        "Store a contract's exact bytes; a new revision is made only when they differ.",
        _TAG,
        answer=ContractRevision,
        status=201,
        is_repeatable=True,
        raw_body=", ".join(_FORMATS),
        max_body_bytes=MAX_CONTRACT_BYTES,
        query=(
            Query("description", "For people.", {"type": "string", "maxLength": 500}),
            Query(
                "enforceFrom",
                "R38: RFC 3339 time from which runs have to meet the revision; `now`, or left out: at once. With the "
                "bytes of the newest revision it moves that one's date, if it has not passed.",
            ),
        ),
        headers=(
            Header("If-Match", 'The revision that must be the newest, like "3".'),
            Header("If-None-Match", "`*`: there must be no contract of this name."),
        ),
    ),
    Endpoint(
        "POST",
        "/contracts/<name>/impact",
        READERS,
        _impact,
        "Judge the last successful attestation of each workflow that uses a contract against another text of it; "
        "nothing is stored.",
        _TAG,
        answer=ContractImpact,
        is_list=True,
        raw_body=", ".join(_FORMATS),
        max_body_bytes=MAX_CONTRACT_BYTES,
        query=PAGING,
    ),
    Endpoint(
        "DELETE",
        "/contracts/<name>",
        OPERATORS,
        _delete,
        "Delete a contract that no workflow uses and no run was pinned to.",
        _TAG,
        status=204,
    ),
    Endpoint(
        "GET",
        "/contracts/<name>/revisions",
        EVERYBODY,
        _list_revisions,
        "List a contract's revisions, newest first, without their bytes.",
        _TAG,
        answer=RevisionSummary,
        is_list=True,
        query=PAGING,
    ),
    Endpoint(
        "GET",
        "/contracts/<name>/revisions/<int:revision>",
        EVERYBODY,
        _get_revision,
        "Show a revision: its exact bytes, and what they say.",
        _TAG,
        answer=ContractRevision,
    ),
)
