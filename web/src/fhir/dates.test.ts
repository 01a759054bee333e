import { describe, expect, it } from "vitest";
import { ageDay, ageOn, formatDate, formatDateTime, formatPeriod, toTime } from "./dates";

describe("dates", () => {
  it("shows only what is known of a partial date, in each language", () => {
    expect([formatDate("1964", "en"), formatDate("1964", "zh")]).toEqual(["1964", "1964年"]);
    expect([formatDate("1964-05", "en"), formatDate("1964-05", "zh")]).toEqual(["May 1964", "1964年5月"]);
    expect([formatDate("1964-05-03", "en"), formatDate("1964-05-03", "zh")]).toEqual(["3 May 1964", "1964-05-03"]);
  });
  it("keeps the day that was written, whatever the offset", () => {
    expect(formatDate("2011-10-14T23:37:54+00:00", "en")).toBe("14 Oct 2011");
    expect(formatDateTime("2023-02-01T00:30:00+08:00", "zh")).toBe("2023-02-01 00:30");
  });
  it("gives back what is no date, and nothing for nothing", () => {
    expect(formatDate("last spring", "en")).toBe("last spring");
    expect(formatDate(undefined, "en")).toBeUndefined();
  });
  it("says open ends of a period", () => {
    expect(formatPeriod({ start: "2020-01-02" }, "en")).toBe("since 2 Jan 2020");
    expect(formatPeriod({ start: "2020-01-02", end: "2020-01-02" }, "zh")).toBe("2020-01-02");
    expect(formatPeriod({ start: "2020-01-02", end: "2020-02" }, "zh")).toBe("2020-01-02 至 2020年2月");
    expect(formatPeriod({}, "en")).toBeUndefined();
  });
  it("orders instants of different offsets by when they were", () => {
    expect(toTime("2020-01-01T08:00:00+08:00")).toBe(toTime("2020-01-01T00:00:00Z"));
    expect(toTime("unknown")).toBeUndefined();
  });
  it("counts age as clinicians do", () => {
    const on = new Date(2026, 10, 20);
    expect(ageOn("1964-11-21", on)).toEqual({ unit: "years", value: 61, about: false });
    expect(ageOn("1964-11-20", on)).toEqual({ unit: "years", value: 62, about: false });
    expect(ageOn("2026-11-10", on)).toEqual({ unit: "days", value: 10, about: false });
    expect(ageOn("2026-10-10", on)).toEqual({ unit: "weeks", value: 5, about: false });
    expect(ageOn("2025-10-10", on)).toEqual({ unit: "months", value: 13, about: false });
    expect(ageOn("1990", on)).toEqual({ unit: "years", value: 36, about: true });
    expect(ageOn(undefined, on)).toEqual({ unit: "unknown" });
    expect(ageOn("2030-01-01", on)).toEqual({ unit: "unknown" });
  });
  it("counts the age of the dead to the day they died", () => {
    expect(ageOn("1924-06-16", ageDay("1997-08-05T10:00:00Z", new Date(2026, 0, 1)))).toMatchObject({ value: 73 });
  });
});
