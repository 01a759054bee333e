import { describe, expect, it } from "vitest";
import { indented, linesOf } from "./lines";

describe("a source", () => {
  it("is indented without a digit or a character changed", () => {
    const body = '{"a":1.10,"b":[],"c":{"d":"x,{\\"y\\":1}"},"e":[1e3,true]}';
    expect(indented(body)).toBe('{\n  "a": 1.10,\n  "b": [],\n  "c": {\n    "d": "x,{\\"y\\":1}"\n  },\n  "e": [\n    1e3,\n    true\n  ]\n}');
    expect(indented(body).replace(/\n\s*/g, "").replace(/": /g, '":')).toBe(body);
  });
  it("is laid out element by element, repeats numbered, and says when it was cut", () => {
    const { lines, cut } = linesOf({ name: [{ given: ["A", "B"] }], active: false, n: 0 }, 10);
    expect(lines.map((one) => [one.depth, one.label, one.value])).toEqual([
      [0, "name", undefined], [1, "given [1]", "A"], [1, "given [2]", "B"], [0, "active", "false"], [0, "n", "0"],
    ]);
    expect(cut).toBe(false);
    expect(linesOf({ a: 1, b: 2, c: 3 }, 2).cut).toBe(true);
  });
});
