"""UCUM: published conversion facts, and what must hold of every unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.standards import ucum
from xinglin.standards.ucum import NotCommensurable, UnknownUnit, grammar, table, units


def words(text: str) -> list[str]:
    """The codes in a text, parted by white space."""
    return text.split()


# Sources: NIST SP 811 (2008) appendix B; UCUM 2.2 tables; the defining constants of the SI (2019).
FACTS = [
    ("1", "[in_i]", "cm", "2.54"),
    ("1", "[ft_i]", "m", "0.3048"),
    ("1", "[mi_i]", "km", "1.609344"),
    ("1", "[lb_av]", "kg", "0.45359237"),
    ("1", "[oz_av]", "g", "28.349523125"),
    ("1", "[gr]", "mg", "64.79891"),
    ("1", "[stone_av]", "kg", "6.35029318"),
    ("1", "[gal_us]", "L", "3.785411784"),
    ("1", "[foz_us]", "mL", "29.5735295625"),
    ("1", "[pt_br]", "mL", "568.26125"),
    ("1", "[tsp_us]", "mL", "4.92892159375"),
    ("1", "atm", "kPa", "101.325"),
    ("1", "bar", "kPa", "100"),
    ("760", "mm[Hg]", "kPa", "101.32472"),
    ("1", "m[H2O]", "kPa", "9.80665"),
    ("1", "cal", "J", "4.184"),
    ("1", "[Cal]", "kJ", "4.184"),
    ("1", "eV", "J", "1.602176634e-19"),
    ("1", "Ci", "Bq", "3.7e10"),
    ("1", "dyn", "N", "0.00001"),
    ("1", "P", "Pa.s", "0.1"),
    ("1", "kat", "umol/min", "6e7"),
    ("60", "U", "umol/s", "1"),
    ("1", "U/L", "ukat/L", str(Decimal(1) / Decimal(60))),
    ("1", "a", "d", "365.25"),
    ("1", "wk", "h", "168"),
    ("1", "mo", "d", "30.4375"),
    ("1", "l", "dm3", "1"),
    ("1", "L", "cm3", "1000"),
    ("1", "mg/dL", "g/L", "0.01"),
    ("1", "g%", "g/dL", "1"),
    ("1", "10*9/L", "10*3/uL", "1"),
    ("5", "%", "[ppth]", "50"),
    ("1", "[ppm]", "mg/kg", "1"),
    ("1", "kg.m/s2", "N", "1"),
    ("1", "N/m2", "Pa", "1"),
    ("1", "mL/min/{1.73_m2}", "L/h", "0.06"),
    ("37", "Cel", "[degF]", "98.6"),
    ("98.6", "[degF]", "Cel", "37"),
    ("-40", "Cel", "[degF]", "-40"),
    ("0", "K", "Cel", "-273.15"),
    ("80", "[degRe]", "Cel", "100"),
    ("36500", "mCel", "Cel", "36.5"),
    ("180", "deg", "[pi].rad", "1"),
    ("1", "KiBy", "bit", "8192"),
    ("1", "[IU]/mL", "k[iU]/L", "1"),
    ("2", "(m/s)/s", "m/s2", "2"),
    ("6.3", "s/m.mg", "s.m-1.g", "0.0063"),  # from left to right
    ("6.3", "s/4/m", "s/m", "1.575"),
    ("1", "S", "g-1.m-2.C2.s", "0.001"),
    ("1", "[ly]", "cm", "946073047258080000"),
    ("1", "[mu_0]", "g.m.C-2", "0.00125663706143591729538505735331180115"),
    ("1", "m[Hg]", "g.s-2.m-1", "133322000"),
    ("1", "/min", "Hz", str(Decimal(1) / Decimal(60))),
]


@pytest.mark.parametrize(("value", "source", "target", "expected"), FACTS)
def test_published_conversion(value: str, source: str, target: str, expected: str) -> None:
    found = ucum.convert(Decimal(value), source, target)
    assert abs(found - Decimal(expected)) <= abs(Decimal(expected)) * Decimal("1e-27")


def test_conversions_with_finite_decimals_are_exact() -> None:
    assert ucum.convert(Decimal("1.10"), "[lb_av]", "g") == Decimal("498.951607")
    assert ucum.canonical(Decimal("0.1"), "ng/mL") == (Decimal("0.0001"), "g.m-3")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("mg/dL", "mmol/L"),  # needs the molar mass
        ("meq/L", "mmol/L"),  # needs the ion's charge
        ("mosm/kg", "mmol/kg"),  # needs the solute
        ("10*9/L", "mmol/L"),  # a count is no amount of substance
        ("[iU]/L", "g/L"),
        ("[iU]", "[arb'U]"),
        ("[pH]", "mol/L"),
        ("Cel", "m"),
        ("kg", "L"),
        ("dB", "1"),
    ],
)
def test_different_things_are_not_convertible(first: str, second: str) -> None:
    assert not ucum.is_commensurable(first, second)
    with pytest.raises(NotCommensurable):
        ucum.convert(Decimal(1), first, second)


@pytest.mark.parametrize(
    "code",
    words(
        """mmHg cc mcg ug/ml/ Torr IU iU .m m. m//s 0 0.m {a (m m) 10+3 m2a [ ] Cel/min 2.Cel kCel.m m{é} µg μL degC / %. 1..2
        kmin mh dd [degF]2 m-+2 m1000 10*999 cal_ m[H2O 12{ a.b{ lbs mEq/L
        g/12h ug(8.h) {a}rad2{b} {|}1 molv [BETH'U] m[iIU]/L mmol/kg[H20] cm[H20] Amb Ki Mi 'wk'"""
    ),
)
def test_what_is_no_unit_is_refused(code: str) -> None:
    assert not ucum.is_valid(code)
    with pytest.raises(UnknownUnit):
        ucum.canonical(Decimal(1), code)


@pytest.mark.parametrize(
    "code",
    words(
        """m 1 % {score} {} mm[Hg] 10*3/uL 10^3/uL 10*-3 m[H2O] [in_i'H2O] [anti'Xa'U] ug/dL{FEU} mL/min/{1.73_m2} g/(8.h) (/m)
        /uL /[HPF] k[IU]/mL [arb'U]/mL U/g{Hb} mmol/mol{creat} mg/kg/d [degF] Cel mCel [pH] dB B[10.nV] [m/s2/Hz^(1/2)] kW.h
        cal_[15] [Amb'a'1'U] %[slope] [p'diop] 12 10 m+2 kg.m-2 [ft_i] [ft_us] {#}/[LPF] nmol/L{BCE} umol/(8.h) (kg) a_t mo_j
        pH pt a/m g.m/{hb} /{tot} mL/{hb}.m2 10*+3/ul dyn.s/(cm5.m2) mmol/(8.h.kg) 10.L/(min.m2) umol/2.h dB[SPL]
        uV/m2 Ohm GiBy mo wk min"""
    ),
)
def test_what_is_a_unit_is_accepted(code: str) -> None:
    assert ucum.is_valid(code)


def test_hostile_codes_are_refused_at_once() -> None:
    for code in ("(" * 100_000, "m." * 100_000, "10*" * 50_000, "m" * 100_000, "9" * 5_000, "m99999999999"):
        assert not ucum.is_valid(code)


def _all_units() -> list[str]:
    return [*grammar._definitions(), *grammar._dimensions(), *grammar.special_units()]


def test_every_unit_of_the_table_is_defined_and_readable() -> None:
    codes = _all_units()
    assert len(codes) == len(set(codes)) > 300
    for code in codes:
        assert ucum.canonical(Decimal(1), code)[1]


def test_every_metric_unit_takes_every_prefix_and_no_other_does() -> None:
    for code, (_, _, metric) in grammar._definitions().items():
        for prefix in ("k", "m", "da", "u"):
            whole = prefix + code
            if whole not in grammar._definitions() and whole not in grammar._dimensions():
                assert ucum.is_valid(whole) is metric, whole


def test_every_code_with_a_prefix_reads_in_one_way_only() -> None:
    metric = [code for code, takes in grammar._metric().items() if takes]
    whole = [prefix + code for prefix in table.PREFIXES for code in metric]
    assert len(whole) == len(set(whole)) > 1_000
    assert not set(whole) & set(_all_units())


_NUMBERS = st.decimals(min_value=-(10**12), max_value=10**12, places=6)
_LENGTHS = st.sampled_from(["m", "cm", "[in_i]", "[ft_us]", "km", "[mi_i]", "nm", "AU", "[smoot]", "m3/m2"])
_CONCENTRATIONS = st.sampled_from(["g/L", "mg/dL", "ug/mL", "kg/m3", "[gr]/[gal_us]", "ng/uL", "g%", "mg%"])
_TEMPERATURES = st.sampled_from(["K", "Cel", "[degF]", "[degRe]", "mK", "[degR]"])


@given(
    _NUMBERS,
    st.sampled_from([_LENGTHS, _CONCENTRATIONS, _TEMPERATURES]).flatmap(lambda s: st.tuples(s, s, s)),
)
def test_conversion_there_and_back_gives_the_value(value: Decimal, codes: tuple[str, str, str]) -> None:
    first, second, third = codes
    there = ucum.convert(value, first, second)
    assert abs(ucum.convert(there, second, first) - value) <= Decimal("1e-18")
    by_way = ucum.convert(ucum.convert(value, first, third), third, second)
    assert abs(by_way - there) <= abs(there) * Decimal("1e-28") + Decimal("1e-18")


@given(_NUMBERS, _NUMBERS, st.tuples(_TEMPERATURES, _TEMPERATURES))
def test_canonical_values_keep_the_order(first: Decimal, second: Decimal, codes: tuple[str, str]) -> None:
    one, two = (ucum.canonical(value, codes[0])[0] for value in (first, second))
    assert (one < two) == (first < second) or abs(first - second) < Decimal("1e-20")


@given(_NUMBERS, st.sampled_from(_all_units()))
def test_canonical_agrees_with_exact_fractions(value: Decimal, code: str) -> None:
    rounded, canonical_code = ucum.canonical(value, code)
    exact, other_code = ucum.fraction(value, code)
    assert canonical_code == other_code
    assert abs(Fraction(rounded) - exact) <= abs(exact) * Fraction(1, 10**30)


@given(
    st.lists(
        st.sampled_from(["m", "s-1", "kg", "mol", "L-1", "[iU]", "10*3", "/min"]), min_size=1, max_size=5
    )
)
def test_the_order_of_factors_does_not_change_the_canonical_unit(parts: list[str]) -> None:
    forward, backward = (".".join(part.removeprefix("/") for part in order) for order in (parts, parts[::-1]))
    assert ucum.canonical(Decimal(1), forward) == ucum.canonical(Decimal(1), backward)


def test_the_answer_does_not_depend_on_the_caller_s_decimal_context() -> None:
    import decimal

    expected = ucum.canonical(Decimal("1.23456789"), "[lb_av]/[in_i]2")
    with decimal.localcontext() as context:
        context.prec = 3
        units.unit.cache_clear()
        assert ucum.canonical(Decimal("1.23456789"), "[lb_av]/[in_i]2") == expected
