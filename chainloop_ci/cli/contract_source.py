"""What `--contract` means: a file, the name of a stored contract, or the address of a public one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainloop_ci.api.limits import UUID_PATTERN
from chainloop_ci.cli.wiring import World
from chainloop_ci.contract.limits import MAX_CONTRACT_BYTES
from chainloop_ci.crafting.terms import ContractFile
from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.errors import FileUnreadableError, UsageError

if TYPE_CHECKING:
    from chainloop_ci.client.http import HttpClient

_PUBLIC = deferred_pattern(rf"(?P<base>https?://.+)/api/v1/public/contracts/(?P<id>{UUID_PATTERN.strip('^$')})")


def find_contract(world: World, given: str | None, *, dry_run: bool) -> ContractFile | str | None:
    """Return the file or the name that `--contract` means; None when the control plane is to say.

    An address is that of a public contract, which only a dry run needs: else the control plane itself is asked.

    Raises:
        UsageError: an address of something else, or of another control plane (R23).
        FileUnreadableError: there is no such file.
        NotFoundError, UnreachableError: the address has no contract any more, or does not answer.
    """
    if not given:
        return None
    if world.file_exists(given):
        with world.open_file(given) as file:
            contract = ContractFile(given, file.read(MAX_CONTRACT_BYTES + 1))
        if world.report:
            world.report.contract = contract
        return contract
    if "://" in given:
        return _find_public(world, given, dry_run=dry_run)
    if "/" in given or given.endswith((".yaml", ".yml", ".json", ".cue")):
        raise FileUnreadableError(
            f"there is no contract file {given}", hint="check the path, and that the job has its checkout by now"
        )
    return given


def _find_public(world: World, address: str, *, dry_run: bool) -> ContractFile | None:
    match = _PUBLIC.fullmatch(address)
    if match is None:
        raise UsageError(
            f"expected the address of a public contract, found {address.rsplit('@', 1)[-1][:200]!r}",
            hint="an operator gets it with `chainloop workflow update NAME --public-contract on`; anything else is "
            "downloaded first, and given as a file",
        )
    client = _client(world, match["base"])
    if not dry_run:
        world.output.debug("the control plane is asked for the contract, not its public address", address=address)
        return None
    from chainloop_ci.client.public_contract import get_public_contract

    return ContractFile(address, get_public_contract(client, match["id"]))


def _client(world: World, url: str) -> HttpClient:
    """Return a conversation without a token, with the control plane at `url`.

    Raises:
        UsageError: another control plane is configured; or none is, and `url` is not https (R23).
    """
    from chainloop_ci import __version__
    from chainloop_ci.api.address import require_safe_url
    from chainloop_ci.client.http import Address, HttpClient, Patience

    settings = world.settings(quiet=True)
    known, insecure = settings.control_plane, settings.insecure.value
    if known is not None and require_safe_url(known.value, insecure) != url:
        raise UsageError(
            f"the contract's address is of {url}, the control plane of this job is {known.value}",
            hint="give the address that `chainloop workflow update --public-contract on` printed for this one",
        )
    address = Address(
        url=url,
        is_anonymous=True,
        ca=settings.ca.value if settings.ca else "",
        insecure=insecure,
        user_agent=f"chainloop-ci/{__version__}",
        env=world.env,
    )
    return HttpClient(address, Patience(world.patience_seconds), trace=world.output.debug, tell=world.output.info)
