"""Reading XML as a stream, without ever expanding an entity or reading a document type declaration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from chainloop_ci.errors import Finding, MaterialRejectedError
from chainloop_ci.materials.rejection import rejected

MAX_ELEMENTS = 1_000_000
"""Elements of one material: more take seconds to read, and no report has them."""
MAX_DEPTH = 1_000
"""Elements inside each other."""


class _TooMuchError(Exception):
    """A limit was reached; the text says which."""


@dataclass(slots=True)
class XmlOutline:
    """What is kept of an XML document: the name of its root and how often each wanted element occurs."""

    wanted: frozenset[str]
    root: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    elements: int = 0
    """How many there are, wanted or not."""
    depth: int = 0
    max_elements: int = MAX_ELEMENTS

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        """Take notice of an element; namespaces do not count."""
        name = tag.rpartition("}")[2]
        self.root = self.root or name
        self.elements += 1
        self.depth += 1
        if self.elements > self.max_elements:
            raise _TooMuchError(f"more than {MAX_ELEMENTS} elements")
        if self.depth > MAX_DEPTH:
            raise _TooMuchError(f"elements that are nested more than {MAX_DEPTH} deep")
        if name in self.wanted:
            self.counts[name] = self.counts.get(name, 0) + 1

    def end(self, _tag: str) -> None:
        """Leave an element."""
        self.depth -= 1

    def close(self) -> None:
        """End the document; the parser asks for this."""


def outline_xml(
    chunks: Iterable[bytes], wanted: frozenset[str], expected: str, file: str = "", *, max_elements: int = MAX_ELEMENTS
) -> XmlOutline:
    """Parse `chunks` and return the outline; `file` is named in errors when the XML is one entry of an archive.

    Raises:
        MaterialRejectedError: broken XML, with line and column; a DTD, entity or external reference in it; more than
            `max_elements` elements (what is left of `MAX_ELEMENTS` for this file), or too many inside each other; an
            encoding that the reader does not know.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import XMLParser

    outline = XmlOutline(wanted, max_elements=max_elements)
    parser = XMLParser(target=outline, forbid_dtd=True)
    try:
        for chunk in chunks:
            parser.feed(chunk)
        parser.close()
    except ParseError as error:
        line, column = error.position
        reason = str(error).partition(":")[0]
        raise _refuse(expected, "broken XML", file, line, column + 1, reason) from error
    except _TooMuchError as error:
        raise rejected(expected, f"XML with {error}{f' ({file})' if file else ''}") from error
    except DefusedXmlException as error:
        line, column = parser.parser.CurrentLineNumber, parser.parser.CurrentColumnNumber + 1
        raise _refuse(expected, "XML with a document type declaration", file, line, column, "refused") from error
    except (LookupError, ValueError) as error:
        # Python's codecs are asked for the encoding that the document names, and raise what they like.
        raise rejected(
            expected, f"XML in an encoding that cannot be read{f' ({file})' if file else ''}", hint="write it as UTF-8"
        ) from error
    return outline


def prepare_xml() -> None:
    """Import now what reading XML imports."""
    import defusedxml.common
    import defusedxml.ElementTree  # noqa: F401


def _refuse(expected: str, found: str, file: str, line: int, column: int, reason: str) -> MaterialRejectedError:
    place = f"{file}, " if file else ""
    finding = Finding("xml-syntax", f"{found}: {reason}", path=file or None, line=line, column=column)
    return rejected(expected, f"{found} ({place}line {line}, column {column}: {reason})", findings=[finding])
