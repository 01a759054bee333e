import { describe, expect, it } from "vitest";
import { editable, parametersOf, type Draft } from "./DraftQueries";

const draft = {
  changes: [{ path: "valueQuantity.value", before: 99, after: "5.50" }],
  content: {
    resourceType: "Observation", id: "proposed", status: "corrected", text: { div: "<div/>" },
    code: { text: "Glucose" }, subject: { reference: "Patient/p" },
    method: { text: "Enzymatic" }, valueQuantity: { value: "5.50", unit: "mmol/L", code: "mmol/L" },
  },
} as unknown as Draft;

describe("a draft's form", () => {
  it("offers what would change first, never whom or what it is about, and keeps digits", () => {
    expect(editable(draft)).toEqual([["valueQuantity.value", "5.50"], ["method.text", "Enzymatic"], ["valueQuantity.unit", "mmol/L"]]);
  });
});

describe("a decision", () => {
  it("names the version that was seen", () => {
    expect(JSON.parse(parametersOf({ what: "accept" }, 3)).parameter).toEqual([{ name: "version", valuePositiveInt: 3 }]);
  });
  it("sends numbers as they were typed", () => {
    expect(parametersOf({ what: "amend", values: [["valueQuantity.value", "5.60"]] }, 1)).toContain('"valueString":"5.60"');
  });
  it("sends a reason, and words only where there are some", () => {
    const sent = JSON.parse(parametersOf({ what: "reject", code: "incorrect", text: "  " }, 1)) as { parameter: { name: string }[] };
    expect(sent.parameter.map((one) => one.name)).toEqual(["version", "code"]);
  });
});
