"""The hardened XML reader and writer; the only importer of lxml.

Nothing here fetches, expands or guesses: a DOCTYPE is refused twice (by a scan of the bytes and by what the parser
saw), entities stay unexpanded and refused, and size, depth, element and attribute counts are capped. What leaves this
module is a frozen tree of plain text, so no caller can reach the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from lxml import etree

from adapters.errors import DocumentRefusedError

#: A submission holds no more (broker.model), so a larger source could never be shared.
MAX_BYTES: Final = 448 * 1024
#: CAP is 5 deep and PIDF-LO with embedded provider data some 15.
MAX_DEPTH: Final = 48
MAX_ELEMENTS: Final = 20_000
MAX_ATTRIBUTES: Final = 64
# Encodings in which `<!` can have only one spelling; libxml2 would also take UTF-7, UTF-16 and EBCDIC.
_ENCODINGS: Final = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "windows-1252"})
_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]{0,200}?\?>")
_DECLARED_ENCODING: Final = re.compile(rb"""\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
# XML 1.0 §2.2: everything else cannot stand in a document, escaped or not.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPACE: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Element:
    """One element; `tag` is in Clark notation (`{namespace}local`), `text` is stripped."""

    tag: str
    text: str = ""
    children: tuple[Element, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def local(self) -> str:
        return self.tag.rpartition("}")[2]

    @property
    def namespace(self) -> str:
        return self.tag.rpartition("}")[0].removeprefix("{")

    def walk(self) -> Iterator[Element]:
        """Yield this element and everything below it, in document order."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


def parse(raw: bytes) -> Element:
    """Read one document.

    Raises:
        DocumentRefusedError: `too-large`, `empty`, `xml-encoding`, `doctype`, `xml-entity`, `too-deep`,
            `too-many-elements`, `too-many-attributes`, `not-xml`.
    """
    if len(raw) > MAX_BYTES:
        raise DocumentRefusedError("too-large", detail=f"at most {MAX_BYTES} bytes are taken")
    _scan_prolog(raw)
    # Every default that matters is written out: a new libxml2 must not change what we accept.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        strip_cdata=True,
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        # libxml2's message quotes the document, so it stays here.
        raise DocumentRefusedError("not-xml", detail="the input is not one well-formed XML 1.0 document") from None
    document: Any = root.getroottree().docinfo
    if document.doctype or document.internalDTD is not None or document.externalDTD is not None:
        raise DocumentRefusedError("doctype", detail="a document type declaration is never taken")
    return _freeze(root)


def serialise(root: Element, *, prefixes: Mapping[str, str] | None = None) -> bytes:
    """Write a document in UTF-8; characters XML cannot hold become U+FFFD.

    `prefixes` maps prefix to namespace; the root's own namespace is the default one unless listed.
    """
    names: dict[Any, str] = dict(prefixes or {})
    if root.namespace and root.namespace not in names.values():
        names[None] = root.namespace  # lxml's spelling of the default namespace
    top = etree.Element(root.tag, attrib=_clean(root.attributes), nsmap=names)
    waiting = [(root, top)]
    while waiting:
        element, node = waiting.pop()
        node.text = _NOT_XML.sub("\ufffd", element.text) or None
        waiting.extend(
            (child, etree.SubElement(node, child.tag, attrib=_clean(child.attributes))) for child in element.children
        )
    etree.indent(top)
    return etree.tostring(top, xml_declaration=True, encoding="UTF-8")


def _clean(attributes: Mapping[str, str]) -> dict[str, str]:
    return {name: _NOT_XML.sub("\ufffd", value) for name, value in attributes.items()}


def _scan_prolog(raw: bytes) -> None:
    """Walk from the first byte to the root's start tag; only a declaration, comments and instructions may stand there.

    Done on bytes and before the parser, so that no parser setting has to be right for a DOCTYPE to be refused.
    """
    body = raw.removeprefix(b"\xef\xbb\xbf")
    if not body.strip(_SPACE):
        raise DocumentRefusedError("empty", detail="the document is empty")
    if b"\0" in body or body.lstrip(_SPACE)[:1] != b"<":
        # A NUL means UTF-16 or UTF-32, another first byte EBCDIC or no XML: places where `<!` hides from a scan.
        code = "xml-encoding" if b"\0" in body or body[:1] in {b"\x4c", b"\xff", b"\xfe", b"+"} else "not-xml"
        raise DocumentRefusedError(code, detail="XML is taken in UTF-8, ASCII, ISO-8859-1 or windows-1252")
    _check_declaration(body)
    at = 0
    while True:
        at += len(body) - at - len(body[at:].lstrip(_SPACE))
        if body.startswith(b"<?", at):
            end = body.find(b"?>", at + 2)
        elif body.startswith(b"<!--", at):
            end = body.find(b"-->", at + 4)
            end = end + 1 if end >= 0 else end
        elif body.startswith(b"<!", at):
            raise DocumentRefusedError("doctype", detail="a document type declaration is never taken")
        else:
            return
        if end < 0:
            raise DocumentRefusedError("not-xml", detail="the prolog does not end")
        at = end + 2


def _check_declaration(body: bytes) -> None:
    if body[:6].rstrip(_SPACE) == b"<?xml":
        declaration = _DECLARATION.match(body)
        if declaration is None:
            raise DocumentRefusedError("xml-encoding", detail="the XML declaration is not one of XML 1.0")
        encoding = _DECLARED_ENCODING.search(declaration[0])
        if encoding is not None and encoding[1].decode().lower() not in _ENCODINGS:
            raise DocumentRefusedError("xml-encoding", detail="the declared encoding is not taken")


def _freeze(root: etree._Element) -> Element:
    """Copy the parser's tree into frozen values, counting as it goes."""
    count = 0

    def copy(node: etree._Element, depth: int) -> Element:
        nonlocal count
        count += 1
        if not isinstance(node.tag, str):
            raise DocumentRefusedError("xml-entity", detail="entity references are never taken")
        if depth > MAX_DEPTH:
            raise DocumentRefusedError("too-deep", detail=f"at most {MAX_DEPTH} levels of elements are taken")
        if count > MAX_ELEMENTS:
            raise DocumentRefusedError("too-many-elements", detail=f"at most {MAX_ELEMENTS} elements are taken")
        if len(node.attrib) > MAX_ATTRIBUTES:
            raise DocumentRefusedError("too-many-attributes", detail=f"at most {MAX_ATTRIBUTES} attributes are taken")
        children = tuple(copy(child, depth + 1) for child in node)
        text = (node.text or "") + "".join(child.tail or "" for child in node)
        attributes = {str(name): str(value) for name, value in node.attrib.items()}
        return Element(node.tag, text.strip(), children, MappingProxyType(attributes))

    return copy(root, 1)
