import { describe, expect, it } from "vitest";
import { groupOf, linesOf, seriesOf, valuesOf } from "./observations";
import type { Observation } from "./types";

const of = (id: string, more: Partial<Observation>): Observation => ({
  resourceType: "Observation", id, status: "final", category: [{ coding: [{ code: "laboratory" }] }],
  code: { coding: [{ system: "http://loinc.org", code: "4548-4" }] }, ...more,
});

describe("series", () => {
  it("gathers one test under one row, newest first, and leaves out what was withdrawn, counted", () => {
    const { series, withdrawn } = seriesOf(
      [
        of("old", { effectiveDateTime: "2019-01-01" }), of("new", { effectiveDateTime: "2020-01-01" }), of("undated", {}),
        of("wrong", { status: "entered-in-error", effectiveDateTime: "2021-01-01" }),
      ],
      "results",
    );
    expect(series).toHaveLength(1);
    expect(series[0]?.points.map((one) => one.id)).toEqual(["new", "old", "undated"]);
    expect(withdrawn).toBe(1);
  });
  it("keeps tests apart that share a name but not a code", () => {
    const other = of("b", { code: { coding: [{ system: "urn:x", code: "4548-4" }] } });
    expect(seriesOf([of("a", {}), other], "results").series).toHaveLength(2);
  });
  it("draws different units as different lines, and blood pressure as two", () => {
    const percent = of("a", { effectiveDateTime: "2019", valueQuantity: { value: "7.0", unit: "%" } });
    const ifcc = of("b", { effectiveDateTime: "2020", valueQuantity: { value: 53, unit: "mmol/mol" } });
    expect(linesOf(seriesOf([percent, ifcc], "results").series[0]!).map((line) => line.unit)).toEqual(["%", "mmol/mol"]);
    const pressure = of("c", {
      effectiveDateTime: "2020",
      component: [
        { code: { text: "a" }, valueQuantity: { value: 120, unit: "mmHg" } }, { code: { text: "b" }, valueQuantity: { value: 80, unit: "mmHg" } },
      ],
    });
    expect(linesOf(seriesOf([pressure], "results").series[0]!).map((line) => line.points[0]?.value)).toEqual([120, 80]);
    expect(valuesOf(pressure)).toHaveLength(2);
  });
  it("plots no point for a value that is missing or undated", () => {
    const missing = of("a", { effectiveDateTime: "2019", dataAbsentReason: { text: "unknown" } });
    const undated = of("b", { valueQuantity: { value: 7, unit: "%" } });
    expect(linesOf(seriesOf([missing, undated], "results").series[0]!)).toEqual([]);
  });
  it("gives no row to a panel that only gathers its members", () => {
    const panel = of("p", { hasMember: [{ reference: "Observation/a" }] });
    expect(seriesOf([panel], "results").series).toEqual([]);
    expect(seriesOf([{ ...panel, valueString: "abnormal" }], "results").series).toHaveLength(1);
  });
  it("knows a vital sign without a category by its code", () => {
    expect(groupOf(of("a", { category: undefined, code: { coding: [{ system: "http://loinc.org", code: "8867-4" }] } }))).toBe("vitals");
    expect(groupOf(of("a", { category: undefined }))).toBe("results");
    expect(groupOf(of("a", { category: [{ coding: [{ code: "social-history" }] }] }))).toBe("assessments");
  });
});
