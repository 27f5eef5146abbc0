"""Words and phrases that are hard to read for users of English as a second language, and where they occur.

``python -m tests.docs.words [PREFIX]`` lists them.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Refused everywhere.
TURNS = (
    r"anew|spoilt|besides|whilst|hitherto|thereof|therein|wherein|whereby|hereby|whence|thence|albeit|lest|nor|shall",
    r"but for|what else|strangers?|what it is|so it is(?= (?:for|with)|[.;])|of the kind(?! of)|(?<!can )be it",
    r"each other's|besides? (?:them|it)|go(?:es|ing)? on|went on|stands(?! (?:in )?for)|stood",
    r"of (?:its|their|your|our|one's) own|for the time being|than what|as far as|at hand",
    r"pictures?(?!:)|preparations?|holdouts?|upper bounds?",
    r"(?<!-)recipes?(?!:)",
    r"(?<!noise[ _-])ceilings?(?!:)",
)
#: Refused in texts that are not about the photographs of CUB and birds-16.
PHOTOGRAPHS = r"photographs?"
OF_BIRDS = r"CUB|birds?\b|birds-16|species|Caltech|Kaggle"
ABOUT_BIRDS = (
    *("simtool/collections/", "simtool/toy/", "simtool/demo.py", "simtool/commands/fetch_", "simtool/stages/fetching"),
    *("simtool/stages/studies", "simtool/stages/copies"),
    *("docs/commands.md", "docs/glow.md", "docs/resnet.md", "docs/replication.md"),
    *("docs/benchmarks.md", "docs/slurm.md", "benchmarks/", "jobscripts/", "tests/"),
)
#: A sentence that begins as a question and is none.
QUESTION = r"(?:\A\W*|(?<=[.:;] ))What (?![^.]*\?)"

_REFUSED = re.compile(rf"\b(?:{'|'.join(TURNS)})\b", re.IGNORECASE)
_PHOTOGRAPHS = re.compile(rf"\b{PHOTOGRAPHS}\b", re.IGNORECASE)
_OF_BIRDS = re.compile(OF_BIRDS)
_QUESTION = re.compile(QUESTION)


@dataclass(frozen=True)
class Find:
    """A refused word: the file below the project's folder, the line, the word, and the text around it."""

    file: str
    line: int
    word: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.word!r} in: {self.text}"


def finds() -> Iterator[Find]:
    """Every refused word in pages, docstrings, comments, messages, help texts and scripts."""
    for file in _files():
        name = file.relative_to(ROOT).as_posix()
        for line, text in _texts(file):
            yield from (Find(name, line, word, " ".join(text.split())[:160]) for word in refused(name, text))


def refused(name: str, text: str) -> Iterator[str]:
    prose = re.sub(r"``[^`]+``|`[^`]+`", "``", text)
    yield from (match[0] for match in _REFUSED.finditer(prose))
    yield from (match[0].strip() for match in _QUESTION.finditer(prose))
    if not name.startswith(ABOUT_BIRDS) and not _OF_BIRDS.search(prose):
        yield from (match[0] for match in _PHOTOGRAPHS.finditer(prose))


def _files() -> Iterator[Path]:
    for pattern in ("*.md", "docs/**/*.md", "simtool/**/*.py", "tests/**/*.py", "benchmarks/*.py"):
        yield from sorted(ROOT.glob(pattern))
    for pattern in ("jobscripts/**/*", "findings/*.sh", "tests/**/*.sh", ".ci/run", "Makefile", "pyproject.toml"):
        yield from (path for path in sorted(ROOT.glob(pattern)) if path.is_file() and path.suffix != ".pyc")


def _texts(file: Path) -> Iterator[tuple[int, str]]:
    if file == Path(__file__):
        return
    source = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        yield from _paragraphs(source)
    elif file.suffix == ".py":
        yield from _comments(source)
        yield from _strings(source, docstrings_alone=file.is_relative_to(ROOT / "tests"))
    else:
        yield from ((n, line) for n, line in enumerate(source.splitlines(), 1) if re.match(r"\s*#|.*\s#\s", line))


def _paragraphs(source: str) -> Iterator[tuple[int, str]]:
    """The lines of a page without its blocks of code."""
    code = False
    for number, line in enumerate(source.splitlines(), 1):
        code ^= line.lstrip().startswith("```")
        if not code:
            yield number, line


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Comments; the lines of one that is longer than a line are read together."""
    block: list[str] = []
    last = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1 and block:
                yield last, " ".join(block)
                block = []
            block.append(token.string.lstrip("#:! "))
            last = token.start[0]
    if block:
        yield last, " ".join(block)


def _strings(source: str, *, docstrings_alone: bool) -> Iterator[tuple[int, str]]:
    """Docstrings by paragraph, and strings of more than a word: a single word may be a name."""
    tree = ast.parse(source)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node) is not None:
                docstrings.add(id(node.body[0].value))  # type: ignore[attr-defined]
            if docstrings_alone and node.__dict__.get("name", "").startswith("test_"):
                yield node.lineno, node.name.replace("_", " ")  # type: ignore[union-attr]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in docstrings:
                yield from ((node.lineno, part) for part in re.split(r"\n\s*\n", node.value))
            elif not docstrings_alone and " " in node.value.strip():
                yield node.lineno, node.value


def main() -> None:
    """Print every find, and how many there are in each file."""
    prefix = "".join(sys.argv[1:2])
    found = [find for find in finds() if find.file.startswith(prefix)]
    sys.stdout.writelines(f"{find}\n" for find in found)
    sys.stdout.write(f"{len(found)}\n")


if __name__ == "__main__":
    main()
