"""What `--on-unreachable queue` keeps, and what `attestation push --resume` makes of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO, cast

from chainloop_ci import __version__
from chainloop_ci.cli.builder import builder_id
from chainloop_ci.cli.status_view import status_document
from chainloop_ci.cli.unreachable import pending_contents
from chainloop_ci.cli.used_token import require_token
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.sealing import QueuedHandles
from chainloop_ci.crafting.resume import Chance, Kept, KeptContent, Resume
from chainloop_ci.crafting.status import get_status
from chainloop_ci.queued import Queued, QueuedContent, QueueFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chainloop_ci.attestation.state import CraftingState
    from chainloop_ci.crafting.ports import Signer
    from chainloop_ci.crafting.push import Pushed, QueuedPush


def keep_for_later(world: World, queued: QueuedPush) -> None:
    """Write the file that `push --resume` reads, say where it is, and forget the attestation here."""
    name = f"chainloop-queued-{queued.state.pin.run_id}.json"
    file, pending = _queue_file(world, name), pending_contents(world)
    file.write(queued.state, queued.bundle, pending)
    if world.report:
        world.report.note_queued(name)
    world.state().clear()
    pending.clear()
    if world.format == "json":
        status = status_document(get_status(queued.state))
        world.output.document({**status, "state": "queued", "bundlePath": str(file.path)})
    world.output.warning(
        "the attestation is signed and kept: the control plane did not answer",
        path=name,
        **({"and": file.folder.name} if file.folder.exists() else {}),
    )
    world.output.info(f"complete it later with `chainloop attestation push --resume {name}`")


def resume_push(world: World, path: str, load_signer: Callable[[], Signer]) -> Pushed:
    """Complete what is kept in a file, and return it."""
    file = _queue_file(world, path)
    queued = file.read()

    def save(state: CraftingState, bundle: bytes) -> None:
        file.replace(Queued(state, bundle, queued.contents))

    def open_content(content: KeptContent) -> AbstractContextManager[BinaryIO]:
        return file.open_content(cast("QueuedContent", content), _open_inside)

    resume = Resume(
        # Not that of the file: whoever may write it would be sent the token.
        control_plane=world.control_plane,
        load_signer=load_signer,
        builder_id=builder_id,
        chance=Chance(world.new_id, world.new_handle),
        client_version=__version__,
        report=world.reporter,
    )
    return resume(Kept(queued.state, queued.bundle, queued.contents, open_content, save))


def _queue_file(world: World, path: str) -> QueueFile:
    token = require_token(world.settings(quiet=True), typed=world.given.get("token"))
    return QueueFile(world.cwd / path, QueuedHandles(token))


def _open_inside(folder: Path, name: str) -> BinaryIO:
    from chainloop_ci.workspace.paths import open_material

    return open_material(name, root=folder)
