"""The parser: precedence, literals, limits, and the tree it gives."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.standards.fhir import fhirpath
from xinglin.standards.fhir.fhirpath import (
    Date,
    DateTime,
    FhirPathError,
    FhirPathSyntaxError,
    Quantity,
    Time,
    parse,
)
from xinglin.standards.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Indexer,
    Literal,
    Member,
    Node,
    Polarity,
    TypeOperation,
    TypeSpecifier,
    Variable,
)


def each(text: str) -> list[str]:
    """The examples in a text, parted by line ends or two spaces."""
    return [example for line in text.splitlines() for example in line.strip().split("  ")]


def brackets(node: Node) -> str:
    """The tree with every operation in brackets."""
    match node:
        case Binary(operator, left, right):
            return f"({brackets(left)} {operator} {brackets(right)})"
        case TypeOperation(operator, operand, type_):
            return f"({brackets(operand)} {operator} {type_})"
        case Polarity(sign, operand):
            return f"({sign}{brackets(operand)})"
        case Member(source, name):
            return f"{brackets(source)}.{name}" if source else name
        case Call(source, name, arguments):
            head = f"{brackets(source)}." if source else ""
            return f"{head}{name}({', '.join(map(brackets, arguments))})"
        case Indexer(source, index):
            return f"{brackets(source)}[{brackets(index)}]"
        case Literal(value):
            return repr(value) if isinstance(value, str) else str(value)
        case Variable(name):
            return f"%{name}"
    return type(node).__name__


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a or b and c", "(a or (b and c))"),
        ("a implies b or c implies d", "((a implies (b or c)) implies d)"),
        ("a = b | c", "(a = (b | c))"),
        ("a | b is T", "(a | (b is T))"),
        ("1 > 2 is Boolean", "(1 > (2 is Boolean))"),
        ("a + b is T", "((a + b) is T)"),
        ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
        ("-a.b + c", "((-a.b) + c)"),
        ("- -1", "(-(-1))"),
        ("a in b = c", "(a in (b = c))"),
        ("a < b = c < d", "((a < b) = (c < d))"),
        ("a.b[0].c(d, e).f", "a.b[0].c(d, e).f"),
        ("a.is(FHIR.Patient)", "a.is(FHIR.Patient)"),
        ("a as FHIR.`Patient`", "(a as FHIR.Patient)"),
        ("contains.contains('x') contains 'y'", "(contains.contains('x') contains 'y')"),
        ("is.as is as", "(is.as is as)"),
        ("%`vs-x` & %resource", "(%vs-x & %resource)"),
        ("a // to the end\n/* and \n this */ . b", "a.b"),
    ],
)
def test_operators_bind_as_the_standard_says(text: str, expected: str) -> None:
    assert brackets(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("1.10", Decimal("1.10")),
        (r"'a\'b\\n\u4e2d\n'", "a'b\\n中\n"),
        ("true", True),
        ("@2018-03", Date((2018, 3))),
        ("@2018T", DateTime((2018,))),
        ("@2018-03-01T10:30:05.25+08:00", DateTime((2018, 3, 1, 10, 30, Decimal("5.25")), 480)),
        ("@T14", Time((14,))),
        ("4 days", Quantity(Decimal(4), "day")),
        ("1.5 'mg/dL'", Quantity(Decimal("1.5"), "mg/dL")),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert parse(text) == Literal(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    each(
        """a.  .a  a..b  a b  (a  a)  a[  a[]  a(b  a(,)  f(a,)  {  {1}  1 +  +  = 1  a = = b  'x  "x"  `x  @2018-13  @2018-02-30
        @T25  @T14:34:28Z  1 'mg  %  $that  a.$this  a.true  and  a and  div  a.1  1.a.2.  a is  a is 1  a is B.  '\\p'  '\\u12'
        /* x  a # b  a ? b  a; b  is is  @"""
    ),
)
def test_what_is_no_expression_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(FhirPathSyntaxError) as caught:
        parse(text)
    assert caught.value.say("en")
    assert caught.value.say("zh")
    assert "position" in caught.value.values


@pytest.mark.parametrize(
    "text", ["(" * 5_000 + "a", "-" * 5_000 + "1", "a[" * 5_000, "f(" * 5_000, "a" * 30_000, "{" * 300]
)
def test_deep_and_long_expressions_are_refused_not_followed(text: str) -> None:
    with pytest.raises(FhirPathSyntaxError):
        parse(text)


def test_chains_are_bounded_so_that_all_that_parses_can_be_evaluated() -> None:
    for operator in (" or ", " + ", "."):
        with pytest.raises(FhirPathSyntaxError):
            parse(operator.join(["a"] * 5_000))
    longest = " or ".join(["false"] * 195 + ["true"])
    assert fhirpath.compile(longest).evaluate(None) == [True]
    nested = "(" * 90 + "true" + ")" * 90
    assert fhirpath.compile(nested).evaluate(None) == [True]


@given(st.text(alphabet=st.sampled_from(list("ab1.'`@T:-+*/|&<>=~!()[]{},%$ \n\\")), max_size=40))
def test_any_text_gives_a_tree_or_a_fhirpath_error(text: str) -> None:
    try:
        tree = parse(text)
    except FhirPathError:
        return
    assert parse(text) == tree


def test_the_tree_can_be_walked_and_knows_its_places() -> None:
    tree = parse("Patient.name.where(use = 'official').given")
    assert [node.name for node in tree.walk() if isinstance(node, Member)] == [
        "given",
        "name",
        "Patient",
        "use",
    ]
    assert next(node.at for node in tree.walk() if isinstance(node, Binary)) == 23
    assert parse("a is FHIR.code") == TypeOperation("is", Member(None, "a"), TypeSpecifier("FHIR", "code"))
