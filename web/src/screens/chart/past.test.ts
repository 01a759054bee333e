import { describe, expect, it } from "vitest";
import { asParameters, pastOf, readSearch } from "./past";
import { concerns, holds } from "./useRefresh";

describe("a chart of the past", () => {
  it("is asked for by the address and by nothing that is no day", () => {
    expect(readSearch({ known: "2021-03-01" })).toEqual({ known: "2021-03-01" });
    expect(readSearch({ valid: "2021-03-01", other: 1 })).toEqual({ valid: "2021-03-01" });
    for (const known of ["2021", "2021-13-45", "<script>", 7, undefined]) expect(readSearch({ known })).toEqual({});
  });
  it("asks every question of the record with the day", () => {
    expect(asParameters(pastOf({ known: "2021-03-01" }))).toEqual([["_known", "2021-03-01"]]);
    expect(asParameters(pastOf({ valid: "2021-03-01" }))).toEqual([["_valid", "2021-03-01"]]);
    expect(asParameters(pastOf({}))).toEqual([]);
  });
});

describe("a chart that keeps itself as the record is", () => {
  it("minds its own patient's changes only", () => {
    expect(concerns({ type: "Observation", id: "o", patient: "p1" }, "p1")).toBe(true);
    expect(concerns({ type: "Patient", id: "p1", patient: null }, "p1")).toBe(true);
    expect(concerns({ type: "Observation", id: "p1", patient: "p2" }, "p1")).toBe(false);
    expect(concerns({ type: "Location", id: "x", patient: null }, "p1")).toBe(false);
  });
  it("fetches only what holds the changed types", () => {
    const types = new Set(["Observation"]);
    expect(holds({ queryKey: ["pages", "Observation", [["patient", "p1"], ["_sort", "-date"]]] }, "p1", types)).toBe(true);
    expect(holds({ queryKey: ["pages", "Observation", [["patient", "p2"]]] }, "p1", types)).toBe(false);
    expect(holds({ queryKey: ["pages", "Condition", [["patient", "p1"]]] }, "p1", types)).toBe(false);
    expect(holds({ queryKey: ["read", "Patient", "p1"] }, "p1", types)).toBe(false);
    expect(holds({ queryKey: ["read", "Patient", "p1"] }, "p1", new Set(["Patient"]))).toBe(true);
    expect(holds({ queryKey: ["recent"] }, "p1", types)).toBe(false);
  });
});
