"""Repositories that a forge shows and no workflow comes from, and how old the lists of them are, on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from chainloop_ci.api.record import about
from chainloop_ci.api.source_address import SourceKind
from chainloop_ci.records import record


@record
class UncoveredRepository:
    """A repository that no workflow comes from."""

    source: Annotated[str, about("As `--source` of a workflow takes it: `github:acme/app`.")]
    repository_id: Annotated[str, about("The forge's own number.")]
    registration: Annotated[str, about("Whose credential shows it.")]
    registration_id: str
    first_seen_at: Annotated[datetime, about("When it was listed for the first time.")]
    seen_at: Annotated[datetime, about("When it was listed the last time.")]
    is_archived: bool = False
    is_fork: bool = False


@record
class RepositoryInventory:
    """The list of what the credential of one registration shows."""

    registration_id: str
    registration: str
    kind: SourceKind
    url: Annotated[str, about("Base address of the forge.")]
    repositories: Annotated[int, about("How many are known, covered ones too.")]
    listed_at: Annotated[datetime | None, about("How old the list is; None: it was never ended.")] = None
    is_complete: Annotated[bool, about("False: the credential shows more than a list holds.")] = True
    finding: Annotated[str, about("Why the last look failed, for people; it is repeated within an hour.")] = ""
