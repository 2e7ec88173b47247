"""What the control plane says of commits and workflows."""

from __future__ import annotations

from chainloop_ci.api.drift import DriftItem
from chainloop_ci.api.gates import GateAnswer, GateRequest
from chainloop_ci.api.inventories import RepositoryInventory, UncoveredRepository
from chainloop_ci.api.paging import Page
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.words import DriftKind
from chainloop_ci.client.answers import page, read_record
from chainloop_ci.client.lister import Lister
from chainloop_ci.client.lister import Paging as Paging


class Judgements(Lister):
    """Requests of who wants to know how things stand."""

    def ask_gate(self, request: GateRequest) -> GateAnswer:
        """Return whether a commit or a digest may pass; repeating it is safe."""
        return read_record(GateAnswer, self.http.json("POST", "gate", to_dict(request), repeat=True))

    def list_drift(
        self, paging: Paging, *, kind: DriftKind | None = None, project: str | None = None
    ) -> Page[DriftItem]:
        """Return what has drifted from what operators asked for."""
        return self._list(DriftItem, "drift", paging, kind=kind and kind.value, project=project)

    def list_uncovered(self, paging: Paging) -> Page[UncoveredRepository]:
        """Return repositories that no workflow comes from."""
        return self._list(UncoveredRepository, "drift/repositories", paging)

    def list_inventories(self) -> list[RepositoryInventory]:
        """Return how old the lists of repositories are."""
        return list(page(RepositoryInventory, self.http.json("GET", "drift/inventories")).items)
