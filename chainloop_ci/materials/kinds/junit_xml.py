"""JUNIT_XML: one report, or a zip or tar.gz of reports. Source: reference section 3.3."""

from __future__ import annotations

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.archive import ArchiveLimits, iter_members, prepare_archives
from chainloop_ci.materials.content_form import form_of, name_form, wide_encoding_of
from chainloop_ci.materials.rejection import rejected
from chainloop_ci.materials.types import Checked, Form, MaterialKind, MaterialSource
from chainloop_ci.materials.xml_document import MAX_ELEMENTS, outline_xml, prepare_xml

_EXPECTED = "a JUnit report (XML, or a zip or tar.gz of XML files)"
_SUITE = frozenset({"testsuite"})
_LIMITS = ArchiveLimits(max_bytes=64 * 1024**2, ratio_floor_bytes=4 * 1024**2)
"""Everything that comes out is parsed, so less may come out than of other archives."""
_FORMS = (Form.XML, Form.ZIP, Form.GZIP)


def _check(raw: bytes, strict: bool) -> Checked:
    """Accept at least one test suite; `strict` changes nothing, because no schema is published."""
    form = form_of(raw)
    if form in (Form.ZIP, Form.GZIP):
        _require_suite_in_archive(raw, form)
        return Checked()
    if form is not Form.XML and not wide_encoding_of(raw):
        raise rejected(_EXPECTED, name_form(raw))
    outline = outline_xml([raw], _SUITE, _EXPECTED)
    if not outline.counts:
        raise _no_suites(f"XML with the root element <{outline.root[:40]}>")
    return Checked()


def _require_suite_in_archive(raw: bytes, form: Form) -> None:
    files = suites = elements = 0
    for name, chunks in iter_members(raw, form, ".xml", _EXPECTED, _LIMITS):
        outline = outline_xml(chunks, _SUITE, _EXPECTED, name, max_elements=MAX_ELEMENTS - elements)
        files += 1
        elements += outline.elements
        suites += sum(outline.counts.values())
    if not files:
        raise rejected(_EXPECTED, f"{form.value} without any .xml file")
    if not suites:
        raise _no_suites(f"{form.value} with {files} XML files")


def _no_suites(found: str) -> MaterialRejectedError:
    return rejected(
        _EXPECTED,
        f"{found} and no test suite",
        hint="add the file that the test runner writes, with a <testsuite> in it",
    )


def _prepare() -> None:
    prepare_archives()
    prepare_xml()


JUNIT_XML = MaterialKind(
    type=MaterialType.JUNIT_XML,
    source=MaterialSource.DOCUMENT,
    title="JUnit report (XML)",
    check=_check,
    forms=_FORMS,
    marker=b"<testsuite",
    prepare=_prepare,
)
