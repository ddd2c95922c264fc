"""The part of GraphQL that the simulator speaks: one operation, variables, inline fragments.

Source: the GraphQL specification, section 2. Named fragments, several operations in one document
and directives other than on a root field are refused, as are fields that nobody resolves.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TOKENS = re.compile(
    r'[\s,]+|\#[^\n]*|(?P<token>\.\.\.|[!$():=@\[\]{}]|[_A-Za-z]\w*|-?\d+|"(?:[^"\\\n]|\\.)*")'
)
CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
NESTING_MAX = 20


class GraphQLError(Exception):
    """A top-level error: a message and the code of its extensions."""

    def __init__(self, message: str, code: str, **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions = {"code": code} | extensions


@dataclass(slots=True, kw_only=True)
class Selection:
    """A field with its arguments, variables filled in; or a fragment on a type (`on`)."""

    name: str
    key: str
    arguments: dict[str, Any] = field(default_factory=dict)
    directives: dict[str, dict[str, Any]] = field(default_factory=dict)
    selections: list["Selection"] = field(default_factory=list)
    on: str = ""


@dataclass(slots=True, kw_only=True)
class Operation:
    """What a document asks for."""

    kind: str
    roots: list[Selection]


def parse(document: str, variables: Mapping[str, Any]) -> Operation:
    """The document's one operation. Raises GraphQLError where it is not understood."""
    return _Parser(_tokens(document), variables).operation()


def project(value: Any, asked: Selection) -> Any:
    """The asked part of a resolved value: objects are dicts, whose values may be functions of the
    arguments. Raises GraphQLError for a field that the object has not.
    """
    if isinstance(value, list):
        return [project(one, asked) for one in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for one in asked.selections:
        if one.on:
            if one.on == value.get("__typename"):
                found |= project(value, one)
            continue
        if one.name not in value:
            message = f"Field '{one.name}' doesn't exist on type '{value.get('__typename', '?')}'"
            raise GraphQLError(message, "undefinedField", fieldName=one.name)
        inner = value[one.name]
        resolved = inner(one.arguments) if callable(inner) else inner
        found[one.key] = project(resolved, one)
    return found


def _tokens(document: str) -> list[str]:
    found: list[str] = []
    place = 0
    while place < len(document):
        match = TOKENS.match(document, place)
        if match is None:
            raise _not_understood(document[place])
        if (token := match["token"]) is not None:
            found.append(token)
        place = match.end()
    return found


def _not_understood(token: str) -> GraphQLError:
    return GraphQLError(f"syntax error, unexpected {token!r}", "PARSE_ERROR")


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str], variables: Mapping[str, Any]) -> None:
        self._tokens, self._variables = tokens, variables
        self._place = 0

    def operation(self) -> Operation:
        kind = "query"
        if self._peek() != "{":
            kind = self._next()
            if kind not in ("query", "mutation"):
                raise _not_understood(kind)
            if self._peek() not in ("(", "{"):
                self._next()
            if self._peek() == "(":
                while self._next() != ")":  # the variables' types: the resolvers look at values
                    pass
        roots = self._selections(0)
        if self._peek():
            raise _not_understood(self._peek())
        return Operation(kind=kind, roots=roots)

    def _selections(self, depth: int) -> list[Selection]:
        if depth > NESTING_MAX:
            raise _not_understood("{")
        self._expect("{")
        found: list[Selection] = []
        while self._peek() != "}":
            found.append(self._selection(depth))
        self._next()
        return found

    def _selection(self, depth: int) -> Selection:
        if self._peek() == "...":
            self._next()
            self._expect("on")
            on = self._next()
            return Selection(name="...", key="...", on=on, selections=self._selections(depth + 1))
        key = name = self._next()
        if self._peek() == ":":
            self._next()
            name = self._next()
        if not name.isidentifier():
            raise _not_understood(name)
        found = Selection(name=name, key=key, arguments=self._arguments())
        while self._peek() == "@":
            self._next()
            directive = self._next()
            found.directives[directive] = self._arguments()
        if self._peek() == "{":
            found.selections = self._selections(depth + 1)
        return found

    def _arguments(self) -> dict[str, Any]:
        """A variable that was not given is an argument that was not given."""
        if self._peek() != "(":
            return {}
        self._next()
        return self._pairs(")")

    def _pairs(self, end: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._peek() != end:
            name = self._next()
            self._expect(":")
            if self._peek() == "$" and self._tokens[self._place + 1] not in self._variables:
                self._place += 2
                continue
            found[name] = self._value()
        self._next()
        return found

    def _value(self) -> Any:
        token = self._next()
        if token == "$":  # noqa: S105  (a sign of the grammar, no secret)
            return self._variables.get(self._next())
        if token == "{":  # noqa: S105  (a sign of the grammar, no secret)
            return self._pairs("}")
        if token == "[":  # noqa: S105  (a sign of the grammar, no secret)
            found: list[Any] = []
            while self._peek() != "]":
                found.append(self._value())
            self._next()
            return found
        if token.startswith('"'):
            return token[1:-1]
        if token.lstrip("-").isdecimal():
            return int(token)
        return CONSTANTS.get(token, token)

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise _not_understood("end of file")
        self._place += 1
        return token

    def _expect(self, wanted: str) -> None:
        if (token := self._next()) != wanted:
            raise _not_understood(token)
