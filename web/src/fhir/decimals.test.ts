import { describe, expect, it } from "vitest";
import { parseKeepingDecimals, readable, toNumber } from "./decimals";

describe("decimals", () => {
  it("keeps a trailing zero, an exponent and more digits than a double holds", () => {
    const parsed = parseKeepingDecimals<{ a: unknown; b: unknown; c: unknown; d: unknown }>(
      '{"a":1.10,"b":1e3,"c":12345678901234567890,"d":2.5}',
    );
    expect(parsed).toEqual({ a: "1.10", b: "1e3", c: "12345678901234567890", d: 2.5 });
  });
  it("leaves text that looks like a number alone", () => {
    expect(parseKeepingDecimals('{"a":"1.10","b":0.50}')).toEqual({ a: "1.10", b: "0.50" });
  });
  it("shows a value as recorded unless a machine wrote a long tail", () => {
    expect(readable("7.10")).toEqual({ shown: "7.10" });
    expect(readable(0.00123)).toEqual({ shown: "0.00123" });
    expect(readable(176.35499866729558)).toEqual({ shown: "176.35", recorded: "176.35499866729558" });
    expect(readable(0.5734891234)).toEqual({ shown: "0.573", recorded: "0.5734891234" });
    expect(readable("1e3").shown).toBe("1000.00");
  });
  it("gives no number where there is none, rather than nought", () => {
    expect(toNumber(undefined)).toBeUndefined();
    expect(toNumber("")).toBeUndefined();
    expect(toNumber("abc")).toBeUndefined();
    expect(toNumber("0")).toBe(0);
  });
});
