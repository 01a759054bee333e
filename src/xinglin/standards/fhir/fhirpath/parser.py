"""Reads FHIRPath expressions into the syntax tree: precedence climbing over the grammar's operators.

Source: FHIRPath N1 §5.10 (operator precedence) and Appendix B, grammar.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import cast

from xinglin.standards.fhir.fhirpath import quantity
from xinglin.standards.fhir.fhirpath.errors import FhirPathSyntaxError
from xinglin.standards.fhir.fhirpath.lexer import Token, tokens
from xinglin.standards.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Empty,
    Index,
    Indexer,
    Literal,
    Member,
    Node,
    Operator,
    Polarity,
    This,
    Total,
    TypeOperation,
    TypeSpecifier,
    Variable,
)

MAX_NESTING = 100
#: Levels of the tree; a chain of operators or steps is as deep as it is long.
MAX_DEPTH = 200

#: Binding power: a higher number binds tighter. ``is`` and ``as`` stand between additive and union.
_POWER = {
    "implies": 1,
    "or": 2, "xor": 2,
    "and": 3,
    "in": 4, "contains": 4,
    "=": 5, "~": 5, "!=": 5, "!~": 5,
    "<": 6, ">": 6, "<=": 6, ">=": 6,
    "|": 7,
    "is": 8, "as": 8,
    "+": 9, "-": 9, "&": 9,
    "*": 10, "/": 10, "div": 10, "mod": 10,
}  # fmt: skip
_WORDS = {"implies", "or", "xor", "and", "in", "contains", "is", "as", "div", "mod"}
#: Keywords that the grammar also allows as names of elements and functions.
_NAMES_TOO = {"as", "contains", "in", "is"}
_RESERVED = (_WORDS | {"true", "false"}) - _NAMES_TOO


class _Parser:
    def __init__(self, expression: str) -> None:
        self.tokens = tokens(expression)
        self.next = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def advance(self) -> Token:
        token = self.token
        self.next += 1
        return token

    def fail(self, token: Token | None = None) -> FhirPathSyntaxError:
        token = token or self.token
        if token.kind == "end":
            return FhirPathSyntaxError("standards.fhirpath-end", position=token.at)
        return FhirPathSyntaxError("standards.fhirpath-unexpected", text=token.text[:40], position=token.at)

    def sign(self, text: str) -> bool:
        return self.token.kind == "sign" and self.token.text == text

    def take(self, text: str) -> bool:
        if self.sign(text):
            self.next += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise self.fail()

    def operator(self) -> str | None:
        token = self.token
        if token.kind == "sign" and token.text in _POWER:
            return token.text
        return token.text if token.kind == "name" and token.text in _WORDS else None

    def expression(self, least: int = 0) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise FhirPathSyntaxError("standards.fhirpath-nesting", limit=MAX_NESTING, position=self.token.at)
        left = self.unary()
        while (operator := self.operator()) is not None and (power := _POWER[operator]) > least:
            at = self.advance().at
            if operator in ("is", "as"):
                left = TypeOperation("is" if operator == "is" else "as", left, self.type(), at=at)
            else:
                left = Binary(cast("Operator", operator), left, self.expression(power), at=at)
        self.depth -= 1
        return left

    def unary(self) -> Node:
        token = self.token
        if token.kind == "sign" and token.text in "+-":
            self.advance()
            self.depth += 1
            if self.depth > MAX_NESTING:
                raise FhirPathSyntaxError("standards.fhirpath-nesting", limit=MAX_NESTING, position=token.at)
            operand = self.unary()
            self.depth -= 1
            return Polarity("-" if token.text == "-" else "+", operand, at=token.at)
        return self.postfix(self.term())

    def postfix(self, node: Node) -> Node:
        while True:
            at = self.token.at
            if self.take("."):
                node = self.invocation(node)
            elif self.take("["):
                node = Indexer(node, self.expression(), at=at)
                self.expect("]")
            else:
                return node

    def invocation(self, source: Node | None) -> Node:
        token = self.advance()
        if token.kind == "name" and token.text in ("$this", "$index", "$total") and source is None:
            return {"$this": This, "$index": Index, "$total": Total}[token.text](at=token.at)
        if token.kind not in ("name", "quoted-name") or token.text.startswith("$"):
            raise self.fail(token)
        if token.kind == "name" and token.text in _RESERVED:
            raise self.fail(token)
        if not self.take("("):
            return Member(source, token.text, at=token.at)
        arguments: list[Node] = []
        if not self.take(")"):
            arguments.append(self.expression())
            while self.take(","):
                arguments.append(self.expression())
            self.expect(")")
        return Call(source, token.text, tuple(arguments), at=token.at)

    def term(self) -> Node:
        token = self.token
        match token.kind:
            case "number":
                self.advance()
                assert isinstance(token.value, (int, Decimal))
                unit = self.token
                if unit.kind == "string" or (unit.kind == "name" and unit.text in quantity.CALENDAR):
                    self.advance()
                    return Literal(quantity.of(Decimal(token.value), unit.text), at=token.at)
                return Literal(token.value, at=token.at)
            case "string":
                self.advance()
                return Literal(token.text, at=token.at)
            case "temporal":
                self.advance()
                assert token.value is not None
                return Literal(token.value, at=token.at)
            case "variable":
                self.advance()
                return Variable(token.text, at=token.at)
            case "name" if token.text in ("true", "false"):
                self.advance()
                return Literal(token.text == "true", at=token.at)
        if self.take("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.take("{"):
            self.expect("}")
            return Empty(at=token.at)
        return self.invocation(None)

    def type(self) -> TypeSpecifier:
        first = self.advance()
        if first.kind not in ("name", "quoted-name") or first.text.startswith("$"):
            raise self.fail(first)
        if not self.take("."):
            return TypeSpecifier(None, first.text, at=first.at)
        second = self.advance()
        if second.kind not in ("name", "quoted-name"):
            raise self.fail(second)
        return TypeSpecifier(first.text, second.text, at=first.at)


@lru_cache(maxsize=2048)
def parse(expression: str) -> Node:
    """The syntax tree of a FHIRPath expression.

    >>> parse("name.given").name
    'given'

    Raises
    ------
    FhirPathSyntaxError
        The text is no FHIRPath expression, or longer or deeper than the limits.
    """
    parser = _Parser(expression)
    node = parser.expression()
    if parser.token.kind != "end":
        raise parser.fail()
    if _depth(node) > MAX_DEPTH:
        raise FhirPathSyntaxError("standards.fhirpath-nesting", limit=MAX_DEPTH, position=0)
    return node


def _depth(node: Node) -> int:
    deepest, rest = 0, [(node, 1)]
    while rest:
        one, depth = rest.pop()
        deepest = max(deepest, depth)
        rest += ((child, depth + 1) for child in one.children())
    return deepest
