import { describe, expect, it } from "vitest";
import { flagOf, formatQuantity, formatReferenceRange, formatUnit, formatValue } from "./values";

const yesNo: [string, string] = ["Yes", "No"];

describe("units", () => {
  it.each([
    ["mm[Hg]", "mmHg"], ["kg/m2", "kg/m²"], ["10*9/L", "10⁹/L"], ["10*3/uL", "10³/µL"], ["umol/L", "µmol/L"], ["Cel", "°C"],
    ["mL/min/{1.73_m2}", "mL/min/1.73 m²"], ["{score}", ""], ["1", ""], ["%", "%"], ["mg/dL", "mg/dL"], ["/min", "/min"], ["[iU]/L", "IU/L"],
    ["毫摩尔/升", "毫摩尔/升"],
  ])("prints %s as %s", (ucum, printed) => expect(formatUnit(ucum)).toBe(printed));
});

describe("values", () => {
  it("says that a unit or a value is missing; never nought", () => {
    expect(formatQuantity({ value: 45 })).toEqual({ text: "45", unit: undefined, unitMissing: true, recorded: undefined });
    expect(formatQuantity({ unit: "mg" })).toEqual({ missing: {} });
    expect(formatValue({}, "en", yesNo)).toEqual({ missing: { reason: undefined } });
    expect(formatValue({ dataAbsentReason: { text: "not performed" } }, "en", yesNo)).toEqual({ missing: { reason: "not performed" } });
  });
  it("does not call a score without a unit a value whose unit is missing", () => {
    expect(formatQuantity({ value: 7, unit: "{score}" }).unitMissing).toBe(false);
  });
  it("keeps comparators and recorded decimals", () => {
    expect(formatQuantity({ value: "0.10", comparator: "<=", unit: "ng/mL" })).toMatchObject({ text: "≤0.10", unit: "ng/mL" });
  });
  it("shows false, nought and text", () => {
    expect(formatValue({ valueBoolean: false }, "en", yesNo).text).toBe("No");
    expect(formatValue({ valueInteger: 0 }, "en", yesNo).text).toBe("0");
    expect(formatValue({ valueQuantity: { value: 0, unit: "mg" } }, "en", yesNo).text).toBe("0");
    expect(formatValue({ valueCodeableConcept: { coding: [{ code: "LA4" }] } }, "en", yesNo).text).toBe("LA4");
  });
});

describe("flags", () => {
  const range = [{ low: { value: 4, unit: "%" }, high: { value: 6, unit: "%" } }];
  it("takes the laboratory's word before the range", () => {
    const interpretation = [{ coding: [{ code: "N" }] }];
    expect(flagOf({ valueQuantity: { value: 9, unit: "%" }, referenceRange: range, interpretation })).toEqual({ level: "normal", from: "recorded" });
  });
  it("sees from one range in the same unit", () => {
    expect(flagOf({ valueQuantity: { value: "7.10", unit: "%" }, referenceRange: range })).toEqual({ level: "high", from: "range" });
    expect(flagOf({ valueQuantity: { value: 6, unit: "%" }, referenceRange: range })).toEqual({ level: "normal", from: "range" });
    expect(flagOf({ valueQuantity: { value: 3.9, unit: "%" }, referenceRange: range })).toEqual({ level: "low", from: "range" });
  });
  it("does not guess: other unit, several ranges, a comparator, no number", () => {
    expect(flagOf({ valueQuantity: { value: 54, unit: "mmol/mol" }, referenceRange: range })).toBeUndefined();
    expect(flagOf({ valueQuantity: { value: 7, unit: "%" }, referenceRange: [...range, ...range] })).toBeUndefined();
    expect(flagOf({ valueQuantity: { value: 7, unit: "%", comparator: "<" }, referenceRange: range })).toBeUndefined();
    expect(flagOf({ valueString: "high", referenceRange: range })).toBeUndefined();
  });
  it("writes ranges with one or both ends, or as text", () => {
    expect(formatReferenceRange({ referenceRange: range })).toBe("4–6");
    expect(formatReferenceRange({ referenceRange: [{ high: { value: 5 } }] })).toBe("≤ 5");
    expect(formatReferenceRange({ referenceRange: [{ text: "阴性" }] })).toBe("阴性");
    expect(formatReferenceRange({})).toBeUndefined();
  });
});
