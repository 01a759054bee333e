"""What FHIR adds: extension, hasValue, getValue, resolve, memberOf, subsumes, htmlChecks, conformsTo, checkModifiers.

Source: FHIR R4 §2.9.1.5, additional functions.
"""

from __future__ import annotations

from xinglin.standards.fhir.fhirpath import navigation, schema
from xinglin.standards.fhir.fhirpath.code import Code, Many, value_one
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context, reference_of
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError, FhirPathSemanticError
from xinglin.standards.fhir.fhirpath.functions.registry import BOOLEAN, boolean, function, value_of_kind
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.values import SYSTEM_TYPES, Item, Primitive

_DEFINITIONS = "http://hl7.org/fhir/StructureDefinition/"


@function("extension", 1)
def _extension(scope: Scope, source: Code, call: Call) -> Code:
    many = source.many(True)
    url_of = value_of_kind(scope.compile(call.arguments[0]), "String", "extension", call.at)

    def found(this: Item, context: Context) -> list[Item]:
        url = url_of(this, context)
        return [
            extension
            for item in many(this, context)
            for extension in navigation.extensions(item)
            if extension.url == url
        ]

    return Code(frozenset({"Extension"}), build_many=lambda typed: found)


@function("hasValue")
def _has_value(scope: Scope, source: Code, call: Call) -> Code:
    """True for exactly one primitive with a value; False for all else."""
    many = source.many(True)

    def has(this: Item, context: Context) -> bool:
        items = many(this, context)
        if len(items) != 1:
            return False
        item = items[0]
        return item.value is not None if type(item) is Primitive else type(item) in SYSTEM_TYPES

    return boolean(has)


@function("getValue")
def _get_value(scope: Scope, source: Code, call: Call) -> Code:
    many = source.many(True)
    value_of = value_one(Code(None, build_one=lambda typed: lambda this, context: this))

    def value(this: Item, context: Context) -> Item | None:
        items = many(this, context)
        if len(items) != 1 or (type(items[0]) is not Primitive and type(items[0]) not in SYSTEM_TYPES):
            return None
        return value_of(items[0], context)

    return Code(None, build_one=lambda typed: value)


@function("resolve")
def _resolve(scope: Scope, source: Code, call: Call) -> Code:
    def build(typed: bool) -> Many:
        many = source.many(True)

        def targets(this: Item, context: Context) -> list[Item]:
            found = []
            for item in many(this, context):
                reference, _ = reference_of(item)
                target = None if reference is None else context.find(reference)
                if target is not None:
                    found.append(target)
            return found

        return targets

    return Code(frozenset({"Resource"}), build_many=build, ordered=source.ordered)


@function("memberOf", 1)
def _member_of(scope: Scope, source: Code, call: Call) -> Code:
    """Empty where nobody can tell: no terminology was given, or it does not know the value set."""
    one = source.one(True)
    value_set_of = value_of_kind(scope.compile(call.arguments[0]), "String", "memberOf", call.at)

    def member(this: Item, context: Context) -> bool | None:
        item, value_set = one(this, context), value_set_of(this, context)
        if item is None or value_set is None or context.member_of is None:
            return None
        return context.member_of(item.value if type(item) is Primitive else item, value_set)

    return boolean(member)


def _subsumption(name: str) -> None:
    """Empty without a terminology, of which none is attached yet."""

    @function(name, 1)
    def builder(scope: Scope, source: Code, call: Call) -> Code:
        scope.compile(call.arguments[0])
        return Code(BOOLEAN, build_one=lambda typed: lambda this, context: None)


_subsumption("subsumes")
_subsumption("subsumedBy")


def _needs_profiles(name: str, arguments: int) -> None:
    @function(name, arguments)
    def builder(scope: Scope, source: Code, call: Call) -> Code:
        raise FhirPathSemanticError("standards.fhirpath-needs-profiles", name=name, position=call.at)


_needs_profiles("elementDefinition", 0)
_needs_profiles("slice", 2)


@function("checkModifiers", 0, 9)
def _check_modifiers(scope: Scope, source: Code, call: Call) -> Code:
    """The input, unless an element has a modifier extension other than the ones named, which is an error."""
    named = [value_of_kind(scope.compile(node), "String", call.name, node.at) for node in call.arguments]

    def build(typed: bool) -> Many:
        many = source.many(typed)

        def checked(this: Item, context: Context) -> list[Item]:
            known = {url(this, context) for url in named}
            items = many(this, context)
            for item in items:
                for extension in getattr(item, "modifierExtension", None) or ():
                    if extension.url not in known:
                        raise FhirPathEvaluationError("standards.fhirpath-modifier", url=extension.url)
            return items

        return checked

    return Code(source.types, build_many=build, ordered=source.ordered)


@function("htmlChecks")
def _html_checks(scope: Scope, source: Code, call: Call) -> Code:
    from xinglin.standards.fhir.narrative import fault

    one = value_one(source)

    def checked(this: Item, context: Context) -> bool | None:
        text = one(this, context)
        return None if text is None else fault(text) is None

    return boolean(checked)


@function("conformsTo", 1)
def _conforms_to(scope: Scope, source: Code, call: Call) -> Code:
    """Whether the item is of one of R4's own types; profiles are unknown here, which is an error and no answer."""
    one = source.one(True)
    url_of = value_of_kind(scope.compile(call.arguments[0]), "String", "conformsTo", call.at)

    def conforms(this: Item, context: Context) -> bool | None:
        item, url = one(this, context), url_of(this, context)
        if item is None or url is None:
            return None
        name = url.removeprefix(_DEFINITIONS)
        if name == url or not schema.is_type(name):
            raise FhirPathEvaluationError("standards.fhirpath-profile", url=url)
        mine = item.type if type(item) is Primitive else schema.name_of(type(item))
        return mine is not None and schema.is_subtype(mine, name)

    return boolean(conforms)
