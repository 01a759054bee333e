// @vitest-environment jsdom
import { render } from "@testing-library/react";
import { beforeAll, describe, expect, it } from "vitest";
import { startLanguage } from "../i18n";
import type { Observation } from "../fhir/types";
import { ObservationText } from "./Value";

beforeAll(() => void startLanguage("en"));
const text = (more: Partial<Observation>): string =>
  render(<ObservationText observation={{ resourceType: "Observation", ...more }} />).container.textContent!.replace(/\s+/g, " ").trim();

describe("an observation in words", () => {
  it("shows value, unit and flag; the flag in words", () => {
    expect(text({ valueQuantity: { value: "7.10", unit: "%" }, interpretation: [{ coding: [{ code: "H" }] }] })).toBe("7.10 % ↑ high");
  });
  it("shows a blood pressure as it is spoken, with a dash for the half that is missing", () => {
    const component = [{ code: { coding: [{ system: "http://loinc.org", code: "8480-6" }] }, valueQuantity: { value: 120, unit: "mmHg" } }];
    expect(text({ component })).toBe("120/– mmHg");
  });
  it("says what is missing", () => {
    expect(text({})).toBe("No value recorded");
    expect(text({ valueQuantity: { value: 45 } })).toBe("45 (unit not recorded)");
  });
  it("shows markup in a value as text", () => {
    expect(text({ valueString: "<script>x</script>" })).toBe("<script>x</script>");
  });
});
