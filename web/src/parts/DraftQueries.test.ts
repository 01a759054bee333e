import { describe, expect, it } from "vitest";
import { editable, inputTitle, parametersOf, titleOf, type Draft } from "./DraftQueries";

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

describe("the name of a draft", () => {
  const test = (loinc: string, text: string): object => ({ coding: [{ system: "http://loinc.org", code: loinc }], text });
  const about = (code: object, title: string): Draft => ({ title, content: { resourceType: "Observation", code } }) as unknown as Draft;
  it("is that of the test in the reader's language, however it was recorded", () => {
    const glucose = about(test("14771-0", "空腹血糖"), "空腹血糖 (14771-0)");
    expect(titleOf(glucose, "en")).toBe("Fasting glucose");
    expect(titleOf(glucose, "zh")).toBe("空腹血糖");
  });
  it("is what was recorded, with its code, where nobody has translated it", () => {
    const rare = about(test("99999-1", "稀有指标测定"), "稀有指标测定 (99999-1)");
    expect(titleOf(rare, "en")).toBe("稀有指标测定 (99999-1)");
    expect(inputTitle({ reference: "", value: "", now: null, title: "x (1)", code: null }, "en")).toBe("x (1)");
  });
});
