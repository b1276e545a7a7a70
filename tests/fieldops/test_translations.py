"""Everything that is said to a person is said in Chinese and in English."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from fieldops import language
from gis.findings import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from babel.messages.catalog import Catalog

ROOT = Path(__file__).parents[2]
CHINESE = language.TRANSLATIONS / "zh_CN/LC_MESSAGES/messages.po"
SPEAKING = {"_", "_l", "gettext", "lazy_gettext", "ngettext", "lazy_ngettext", "N_"}
TABLET = ROOT / "fieldops/static/js/tablet"
SAID = re.compile(r'(?<![\w.])say\(\s*(?P<text>"(?:[^"\\\n]|\\.)*")?')
PLACEHOLDER = re.compile(r"%\((\w+)\)[sdr]")


@cache
def sources() -> dict[Path, ast.Module]:
    """Parse every module of the application."""
    return {path: ast.parse(path.read_text()) for path in (ROOT / "fieldops").rglob("*.py")}


@cache
def error_names() -> set[str]:
    """Name every error whose first argument is a message for people."""
    names = {"FieldopsError"}
    classes = [
        node
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    for _ in range(5):
        names |= {
            node.name
            for node in classes
            if {getattr(base, "id", "") for base in node.bases} & names
        }
    return names


def messages_of(tree: ast.Module) -> Iterator[tuple[int, ast.expr]]:
    """List the message of every call that says something, with its line."""
    speaking = SPEAKING | error_names()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in speaking:
            count = 2 if "ngettext" in name else 1
            for argument in node.args[:count]:
                yield node.lineno, argument


@cache
def used() -> dict[str, str]:
    """Give every message that is said, and one place where it is."""
    found = dict.fromkeys(MESSAGES.values(), "gis/findings.py")
    for path, tree in sources().items():
        for line, argument in messages_of(tree):
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                found[argument.value] = f"{path.relative_to(ROOT)}:{line}"
    for path in (ROOT / "templates").rglob("*.html"):
        for line, message, *_ in extract_from_file("jinja2", path):
            for text in message if isinstance(message, tuple) else (message,):
                found[text] = f"{path.relative_to(ROOT)}:{line}"
    for path in TABLET.glob("*.js"):
        for line, text in said_by_script(path):
            if text:
                found[text] = f"{path.relative_to(ROOT)}:{line}"
    return found


def said_by_script(path: Path) -> Iterator[tuple[int, str]]:
    """List the message of every say() of a script, with its line; empty if it is no text."""
    script = path.read_text()
    for found in SAID.finditer(script):
        line = script.count("\n", 0, found.start()) + 1
        is_its_making = script[: found.start()].endswith("function ")
        if not is_its_making:
            yield line, json.loads(found.group("text") or '""')


@cache
def chinese() -> Catalog:
    """Read the Chinese catalogue."""
    with CHINESE.open("rb") as stream:
        return read_po(stream, locale="zh_CN", abort_invalid=True)


def test_every_message_has_its_chinese() -> None:
    """A message that is missing would be shown in English in the middle of a Chinese page."""
    missing = {
        text: place
        for text, place in used().items()
        if not (entry := chinese().get(text)) or not entry.string or entry.fuzzy
    }

    assert missing == {}


def test_the_places_that_are_searched_do_say_something() -> None:
    """An empty search would let everything pass."""
    assert {"Sign in", "The name or the password is not right."} <= set(used())
    assert any(place.startswith("templates") for place in used().values())
    assert used()["Nothing unsent"].startswith("fieldops/static/js/tablet/status_bar.js")


def test_placeholders_agree() -> None:
    """A value that the English names must stand in the Chinese, and no other."""
    wrong = [
        entry.id
        for entry in chinese()
        if entry.id
        and set(PLACEHOLDER.findall(str(entry.id))) != set(PLACEHOLDER.findall(str(entry.string)))
    ]

    assert wrong == []


def test_nothing_is_translated_twice() -> None:
    """Of two entries one would win without anybody knowing which."""
    texts: Counter[str] = Counter()
    for block in re.split(r"\n\s*\n", CHINESE.read_text()):
        if found := re.search(r'^msgid ((?:".*"\n?)+)', block, re.MULTILINE):
            texts[ast.literal_eval("(" + found.group(1) + ")")] += 1

    assert [text for text, count in texts.items() if count > 1] == []


def test_no_message_is_put_together_before_it_is_translated() -> None:
    """An f-string or a sum is no key of a catalogue."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path, tree in sources().items()
        for line, argument in messages_of(tree)
        if isinstance(argument, ast.JoinedStr | ast.BinOp)
    ]

    assert wrong == []


def test_a_script_says_only_what_stands_in_it() -> None:
    """Of a variable nobody knows what to translate; `translated` is for what the server answers."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in TABLET.glob("*.js")
        for line, text in said_by_script(path)
        if not text
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"FIELDOPS_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_GB.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_TW"}, "zh_CN"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"FIELDOPS_LANG": "xx"}, "en"),
        ({}, "en"),
    ],
)
def test_the_command_line_speaks_the_terminals_language(
    environ: dict[str, str], expected: str
) -> None:
    """FIELDOPS_LANG wins over LC_ALL, and that over LANG."""
    assert language.choose_for_terminal(environ) == expected


def test_a_catalogue_is_compiled_once_until_it_changes(tmp_path: Path) -> None:
    """The second call finds nothing to do."""
    source = tmp_path / "zh_CN/LC_MESSAGES/messages.po"
    source.parent.mkdir(parents=True)
    source.write_text('msgid "Valve"\nmsgstr "阀门"\n', encoding="utf-8")
    language.compile_catalogues(tmp_path)
    made = tmp_path / "zh_Hans_CN/LC_MESSAGES/messages.mo"
    first = made.stat().st_ino
    language.compile_catalogues(tmp_path)

    assert "阀门".encode() in made.read_bytes()
    assert made.stat().st_ino == first
