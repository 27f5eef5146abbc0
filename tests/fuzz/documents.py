"""JSON documents with changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.fuzz import values

__all__ = ["changed", "copied", "text_of"]

_Place = tuple[Any, Any]  # a container, and the key or index in it


def copied(document: Any) -> Any:
    """A copy of the document."""
    return json.loads(json.dumps(document))


def _places(node: Any) -> Iterator[_Place]:
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])


def changed(document: Any, chance: Random) -> tuple[str, Any]:
    """Change one or two values of a document, in place if possible.

    Returns:
        What was done, and the document.
    """
    words = []
    for _ in range(chance.choice((1, 1, 1, 2))):
        places = list(_places(document))
        if not places or chance.random() < 0.03:
            return "the whole is another value", values.scalar(chance)
        words.append(_change(*chance.choice(places), chance))
    return "; ".join(words), document


def _change(owner: Any, key: Any, chance: Random) -> str:
    way = chance.choice(("value", "value", "value", "delete", "nest", "rename", "repeat", "deep"))
    match way:
        case "value":
            owner[key] = values.scalar(chance)
        case "delete":
            del owner[key]
        case "nest":
            owner[key] = chance.choice(([owner[key]], {"value": owner[key]}, [[owner[key]]]))
        case "rename" if isinstance(owner, dict):
            owner[f"{key}_"] = owner.pop(key)
        case "repeat" if isinstance(owner, list):
            owner.insert(key, owner[key])
        case "deep":
            for _ in range(60):
                owner[key] = [owner[key]]
        case _:
            owner[key] = None
    return f"{way} at {key!r:.40}"


def text_of(document: Any, chance: Random) -> bytes:
    """The text of a document, sometimes with faults that are not valid JSON."""
    text = json.dumps(document, indent=chance.choice((None, 2)), ensure_ascii=chance.random() < 0.7)
    content = text.encode("utf-8", "surrogatepass")
    faults = (
        lambda: content.replace(b": 1", b": 1" + b"0" * 5000, 1),
        lambda: content.replace(b"{", b'{"kind": 3, "kind": [], ', 1),
        lambda: content.replace(b"1", b"1e999", 1),
        lambda: content.replace(b'": ', b'": ' + b"[" * 20000, 1),
        lambda: content + content,
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content.decode("utf-8", "replace").encode("utf-16"),
        lambda: b"[" * 100_000,
        lambda: content.replace(b'"', b"'"),
        lambda: b"// comment\n" + content,
        lambda: b"",
    )
    return chance.choice(faults)() if chance.random() < 0.06 else content
