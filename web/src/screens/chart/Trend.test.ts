// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";
import type { Line } from "../../fhir/observations";
import { byUnit } from "./Trend";

vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
const { aligned, padded } = await import("./TrendPlot");

const line = (key: string, unit: string, ...points: [number, number][]): Line => ({
  key, unit, points: points.map(([time, value]) => ({ time, value, id: key, exact: true })),
});

describe("a trend", () => {
  it("puts lines of one unit on one axis of time, with gaps where one was not measured", () => {
    expect(aligned([line("a", "mmHg", [2000, 120], [1000, 130]), line("b", "mmHg", [3000, 80])])).toEqual([
      [1, 2, 3], [130, 120, null], [null, null, 80],
    ]);
    expect(byUnit([line("a", "%"), line("b", "mmol/mol"), line("c", "%")]).map((one) => one.length)).toEqual([2, 1]);
  });
  it("keeps the near end of the reference range in sight, and the far end where the curve stays readable", () => {
    const [low, high] = padded(7.4, 7.7, { low: 4, high: 6 });
    expect(low).toBeLessThan(6);
    expect(low).toBeLessThan(4); // 3.4 away, 11 times the spread of 0.3
    expect(high).toBeGreaterThan(7.7);
    expect(padded(7.6, 7.7, { low: 4, high: 6 })[0]).toBeGreaterThan(4);
    expect(padded(5, 5, { low: 4, high: 6 })).toEqual([3.8, 6.2]);
  });
});
