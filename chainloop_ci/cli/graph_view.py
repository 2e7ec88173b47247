"""The graph of referrers for people, as a tree, and for scripts.

Each node stands once, under the neighbour that is nearest to the start; an edge to one that stands above says so. The
document's `links` hold all edges. The document is a superset of the reference's (section 10): `result` with its
`references`, and `pagination`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chainloop_ci.api.record import to_dict
from chainloop_ci.api.referrers import Referrer, ReferrerGraph, ReferrerLink
from chainloop_ci.cli.folding import places

Key = tuple[str, str]


class Tree:
    """The nodes of a graph below the one that was asked for."""

    def __init__(self, graph: ReferrerGraph) -> None:
        self._links: dict[Key, dict[Key, ReferrerLink]] = {}
        nodes = (graph.node, *graph.references, *(reached.node for reached in graph.further))
        self._nodes = {node.key: node for node in nodes}
        for link in graph.links:
            begin, end = (link.attestation.digest, link.attestation.kind), (link.target.digest, link.target.kind)
            self._links.setdefault(begin, {})[end] = link
            self._links.setdefault(end, {})[begin] = link
        self._children: dict[Key, list[Referrer]] = {graph.node.key: list(graph.references)}
        levels: dict[int, list[Key]] = {1: [node.key for node in graph.references]}
        for reached in graph.further:
            levels.setdefault(reached.depth, []).append(reached.node.key)
            near = self._links.get(reached.node.key, {})
            parent = next((key for key in levels.get(reached.depth - 1, []) if key in near), graph.node.key)
            self._children.setdefault(parent, []).append(reached.node)

    def children(self, node: Referrer) -> list[Referrer]:
        """Return what stands under a node."""
        return self._children.get(node.key, [])

    def neighbours(self, node: Referrer) -> list[Referrer]:
        """Return what an edge joins to a node, wherever it stands."""
        return [self._nodes[key] for key in self._links.get(node.key, {}) if key in self._nodes]

    def link(self, parent: Referrer, child: Referrer) -> ReferrerLink | None:
        """Return the edge between a node and one that stands under it."""
        return self._links.get(parent.key, {}).get(child.key)


def graph_lines(graph: ReferrerGraph, limit: int | None = None) -> Iterator[str]:
    """Return the tree, an edge a line: kind, digest, and how the run that attested it calls it.

    Where that takes more than `limit` places, the digest gets a line of its own and stays whole.
    """
    yield from _node_lines("", "", graph.node, _workflow_of(graph.node), limit)
    yield from _lines(_Shown(Tree(graph), {graph.node.key}, limit), graph.node, None, "")


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is being shown."""

    tree: Tree
    above: set[Key]
    """Nodes that stand in a line already."""
    limit: int | None


def _lines(shown: _Shown, parent: Referrer, came_from: Key | None, indent: str) -> Iterator[str]:
    children = shown.tree.children(parent)
    # An edge to what comes further below stands there.
    repeated = [node for node in shown.tree.neighbours(parent) if node.key in shown.above and node.key != came_from]
    for number, child in enumerate((*repeated, *children), start=1):
        is_last = number == len(repeated) + len(children)
        is_repeated = number <= len(repeated)
        called = _edge(shown.tree.link(parent, child), child) + ("  (shown above)" if is_repeated else "")
        below = f"{indent}{'   ' if is_last else '│  '}"
        yield from _node_lines(f"{indent}{'└─' if is_last else '├─'} ", below, child, called, shown.limit)
        if not is_repeated:
            shown.above.add(child.key)
            yield from _lines(shown, child, parent.key, below)


def _node_lines(mark: str, below: str, node: Referrer, called: str, limit: int | None) -> Iterator[str]:
    line = f"{mark}{node.kind} {node.digest}{called}"
    if limit is None or places(line) <= limit:
        yield line
    else:
        yield f"{mark}{node.kind}{called}"
        yield f"{below}{node.digest}"


def _edge(link: ReferrerLink | None, child: Referrer) -> str:
    if link is None:
        return ""
    names = ", ".join(link.names)
    if (link.attestation.digest, link.attestation.kind) != child.key:
        return f"  {names}" if names else ""
    called = f", as {names}" if names else ""
    return f"  {link.project}/{link.workflow}, run {link.run_id}{called}"


def _workflow_of(node: Referrer) -> str:
    name, project = node.metadata.get("name"), node.metadata.get("project")
    return f"  {project}/{name}" if name and project else ""


def graph_document(graph: ReferrerGraph) -> dict[str, Any]:
    """Return the document, nodes nested as in the tree."""
    tree = Tree(graph)
    more = {"nextCursor": graph.next_cursor} if graph.next_cursor else {}
    own = to_dict(graph)
    return {
        "result": _node_document(tree, graph.node),
        "pagination": more,
        "depth": graph.depth,
        "links": own["links"],
        "unfinished": own["unfinished"],
    }


def _node_document(tree: Tree, node: Referrer) -> dict[str, Any]:
    own = to_dict(node)
    return {
        "digest": own["digest"],
        "kind": own["kind"],
        "downloadable": own["downloadable"],
        "references": [_node_document(tree, child) for child in tree.children(node)],
        "createdAt": own["createdAt"],
        "metadata": own["metadata"],
        "annotations": own["annotations"],
    }
