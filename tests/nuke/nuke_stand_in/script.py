"""Nuke scripts as text, as far as the stand-in has nodes: what is saved can be opened again."""

from __future__ import annotations

import re
from typing import Any

from . import knobs as kinds
from .graph import DATATYPE, GRAPH, Group, Node
from .knobs import SESSION, Enumeration_Knob, Format, Knob

INVISIBLE = 0x400
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|([^\s{}"]+)', re.DOTALL)
_TYPES: dict[int, Any] = {
    1: kinds.String_Knob,
    2: kinds.File_Knob,
    3: kinds.Int_Knob,
    6: kinds.Boolean_Knob,
    7: kinds.Double_Knob,
    20: kinds.Tab_Knob,
    22: kinds.PyScript_Knob,
    26: kinds.Text_Knob,
    43: kinds.Multiline_Eval_String_Knob,
}


def saved() -> str:
    """The open script."""
    lines = ["#! nuke -nx", "version 15.1 v1", "Root {", *_values(GRAPH.root), "}"]
    lines += _nodes(GRAPH.root)
    return "\n".join(lines) + "\n"


def _nodes(context: Group) -> list[str]:
    lines: list[str] = []
    done: list[Node] = []
    numbers = {id(node): number for number, node in enumerate(context._children)}

    def add(node: Node) -> None:
        if any(node is other for other in done):
            return
        done.append(node)
        for source in node._inputs:
            if source is not None:
                add(source)
        for source in reversed(node._inputs):
            lines.append("push 0" if source is None else f"push $N{numbers[id(source)]}")
        lines.extend([f"{node._kind} {{", f" inputs {len(node._inputs)}", *map(_user, node._user), *_values(node), "}"])
        if isinstance(node, Group):
            lines.extend([*_nodes(node), "end_group"])
        lines.append(f"set N{numbers[id(node)]} [stack 0]")

    for node in context._children:
        add(node)
    return lines


def _user(knob: Knob) -> str:
    words = [str(knob.code), knob.name(), "l", _quoted(knob.label), "t", _quoted(knob.tooltip)]
    if isinstance(knob, Enumeration_Knob):
        words += ["M", "{" + " ".join(map(_quoted, knob.items)) + "}"]
    words += ["+INVISIBLE"] if INVISIBLE in knob.flags else []
    return f" addUserKnob {{{' '.join(words)}}}"


def _values(node: Node) -> list[str]:
    fresh = Group("Root", None) if node._kind == "Root" else None
    lines = []
    for knob in node._knobs.values():
        if knob.name() == "selected" or isinstance(knob, kinds.Tab_Knob):
            continue
        if knob.expression is not None:
            lines.append(f" {knob.name()} {{{{{knob.expression}}}}}")
        elif knob in node._user or fresh is None or knob._value != fresh._knobs[knob.name()]._value:
            lines.append(f" {knob.name()} {_text(knob._value)}")
    return lines


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "{" + " ".join(map(repr, value)) + "}"
    if isinstance(value, Format):
        return _quoted(f"{value.width()} {value.height()} 0 0 {value.width()} {value.height()} 1")
    return _quoted(value) if isinstance(value, str) else "{}" if value is None else repr(value)


def _quoted(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("$", "\\$"), ("[", "\\[")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def opened(text: str) -> None:
    """Opens a script in place of what is open.

    Raises:
        RuntimeError: a node of a class that is not there.
    """
    GRAPH.clear()
    SESSION.undo_off += 1
    try:
        _run(text, GRAPH.root)
    finally:
        SESSION.undo_off -= 1


def _run(text: str, root: Group) -> None:
    stack: list[Node | None] = []
    contexts: list[tuple[Group, list[Node | None]]] = []
    known: dict[str, Node | None] = {}
    words = _Words(text)
    while (word := words.next()) is not None:
        if word == "version":
            words.next(), words.next()
        elif word == "set":
            known[str(words.next())] = stack[-1]
            words.next()
        elif word == "push":
            name = str(words.next())
            stack.append(None if name == "0" else known[name[1:]])
        elif word == "end_group":
            GRAPH.context, stack = contexts.pop()
        else:
            body = str(words.next())
            if word == "Root":
                _fill(root, body)
                continue
            node = GRAPH.make(word)
            count = _fill(node, body)
            for number in range(count):
                node.setInput(number, stack.pop())
            stack.append(node)
            if isinstance(node, Group):
                contexts.append((GRAPH.context, stack))
                GRAPH.context, stack = node, []


def _fill(node: Node, body: str) -> int:
    """Sets the knobs; gives the count of inputs."""
    words, count = _Words(body), 1
    while (name := words.next()) is not None:
        value = str(words.next())
        if name == "inputs":
            count = int(value)
        elif name == "addUserKnob":
            node.addKnob(_user_knob(value))
        else:
            if name == "datatype" and name not in node._knobs:
                node._give(DATATYPE())
            _set(node[name], value)
    return count


def _set(knob: Knob, value: str) -> None:
    if value.startswith("{"):
        knob.expression = value[1:-1]
    elif isinstance(knob._value, bool):
        knob._value = value == "true"
    elif isinstance(knob._value, (int, float)):
        knob._value = type(knob._value)(float(value))
    elif isinstance(knob._value, tuple):
        knob._value = tuple(map(float, value.split()))
    elif isinstance(knob, kinds.Format_Knob):
        knob._value = Format(int(value.split(maxsplit=1)[0]), int(value.split()[1])) if value else None
    else:
        knob._value = value


def _user_knob(text: str) -> Knob:
    words = _Words(text)
    code, name = int(str(words.next())), str(words.next())
    facts: dict[str, str] = {}
    while (key := words.next()) is not None:
        facts[key] = "" if key.startswith("+") else str(words.next())
    if code == 4:
        items = _Words(facts["M"])
        choices = []
        while (item := items.next()) is not None:
            choices.append(item)
        knob: Knob = Enumeration_Knob(name, facts["l"], choices)
    else:
        knob = _TYPES[code](name, facts["l"])
    knob.tooltip = facts["t"]
    if "+INVISIBLE" in facts:
        knob.flags.add(INVISIBLE)
    return knob


class _Words:
    """Words of Tcl: braces, quotes, brackets or plain."""

    def __init__(self, text: str) -> None:
        self._text, self._at = re.sub(r"^#.*$", "", text, flags=re.MULTILINE), 0

    def next(self) -> str | None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        if self._at >= len(self._text):
            return None
        if self._text[self._at] == "{":
            return self._braced()
        found = _WORD.match(self._text, self._at)
        assert found is not None, self._text[self._at : self._at + 40]
        self._at = found.end()
        if found[1] is not None:
            return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[1], flags=re.DOTALL)
        return found[2] if found[2] is not None else found[3]

    def _braced(self) -> str:
        start, depth, is_quoted = self._at, 0, False
        while True:
            letter = self._text[self._at]
            if letter == "\\":
                self._at += 1
            elif letter == '"':
                is_quoted = not is_quoted
            elif letter in "{}" and not is_quoted:
                depth += 1 if letter == "{" else -1
            self._at += 1
            if depth == 0:
                return self._text[start + 1 : self._at - 1]
