"""What a contract would mean for the workflows that use it, judged by what they attested last; stores nothing (R38)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from chainloop_ci.api.paging import Page
from chainloop_ci.api.requirements import ContractImpact
from chainloop_ci.contract.types import Contract, ContractFormat
from chainloop_ci.contract.upcoming import check_attested
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import ServerFaultError
from server.model.attested import attested_of
from server.model.impacts import ContractUser, impact_of
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.model.runs import Run
from server.services.contract_documents import load_for_name
from server.services.contracts import get_readable
from server.services.run_details import read_stored_statement
from server.store import attestations, contract_users, run_lists
from server.store.database import Database


class Impacts:
    """The use case."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def judge(
        self, principal: Principal, name: str, raw: bytes, format: ContractFormat | None, paging: Paging
    ) -> Page[ContractImpact]:
        """Return what the text would mean for the workflows within reach that use the contract, by project and name.

        Raises:
            ContractInvalidError: with every finding.
            NotFoundError: there is no contract of that name.
            NotAllowedError: no workflow in the token's scope uses it.
        """
        loaded = load_for_name(raw, format, name)
        owner = principal.organization_id
        binding = bind("impact", owner, reach=principal.reach, contract=name, text=sha256_digest(raw))
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            contract = get_readable(connection, principal, name)
            found = contract_users.list_page(
                connection, principal.reach, contract.id, after=after, limit=paging.limit + 1
            )
            page = paging.page(found, binding, lambda user: (user.project, user.workflow))
            items = tuple(judge_users(connection, owner, loaded.contract, page.items))
        return Page(items, page.next_cursor)


def judge_users(
    connection: Connection, organization_id: str, contract: Contract, users: Sequence[ContractUser]
) -> Iterator[ContractImpact]:
    """Yield what a contract would mean for each of the workflows; one attestation is held in memory at a time."""
    sequences = [user.last_success for user in users if user.last_success is not None]
    runs = {run.sequence: run for run in run_lists.load(connection, organization_id, sequences)}
    for user in users:
        run = None if user.last_success is None else runs[user.last_success]
        yield _judge(connection, contract, user, run)


def _judge(connection: Connection, contract: Contract, user: ContractUser, run: Run | None) -> ContractImpact:
    if run is None:
        return impact_of(user, None, (), None)
    attestation = attestations.find_of_run(connection, run.organization_id, run.id)
    if attestation is None:
        raise ServerFaultError(f"the attestation of workflow run {run.id} is gone")
    findings = check_attested(contract, attested_of(read_stored_statement(attestation), run))
    return impact_of(user, run, findings, attestation.stored_at)
