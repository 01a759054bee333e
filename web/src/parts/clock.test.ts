import { describe, expect, it } from "vitest";
import { clockTime, duration, grouped } from "./clock";

const t = (key: string, values?: Record<string, unknown>): string => `${key} ${Object.values(values ?? {}).join(" ")}`;

describe("times of the system's own", () => {
  it("are said by their two largest units", () => {
    expect(duration(59.4, t)).toBe("time.s 59");
    expect(duration(59.6, t)).toBe("time.ms 1 0");
    expect(duration(3599, t)).toBe("time.ms 59 59");
    expect(duration(90_000, t)).toBe("time.dh 1 1");
    expect(duration(-5, t)).toBe("time.under "); // the server's clock a little ahead
  });
  it("of today stand by the time alone, of other days with the day", () => {
    const now = new Date(2026, 10, 21, 15, 0, 0);
    expect(clockTime(new Date(2026, 10, 21, 9, 5, 3).toISOString(), now, "en")).toBe("09:05:03");
    expect(clockTime(new Date(2026, 10, 20, 9, 5, 3).toISOString(), now, "en")).toBe("20 Nov 2026 09:05");
    expect(clockTime(new Date(2026, 0, 2, 9, 5, 3).toISOString(), now, "zh")).toBe("2026-01-02 09:05");
  });
  it("with an offset stand in the hospital's time, and say it where the reader's clock has another", () => {
    const here = -new Date(2026, 10, 21).getTimezoneOffset();
    const there = here === 480 ? { text: "-05:00", minutes: -300 } : { text: "+08:00", minutes: 480 };
    const now = new Date("2026-11-21T15:46:10Z");
    const wall = new Date(now.getTime() + there.minutes * 60_000).toISOString().slice(0, 19);
    expect(clockTime(wall + there.text, now, "zh")).toBe(`${wall.slice(11)} ${there.text}`);
    const later = new Date(now.getTime() + 86_400_000);
    expect(clockTime(wall + there.text, later, "zh")).toBe(`${wall.slice(0, 10)} ${wall.slice(11, 16)} ${there.text}`);
    const two = (value: number): string => String(value).padStart(2, "0");
    const own = `${here < 0 ? "-" : "+"}${two(Math.floor(Math.abs(here) / 60))}:${two(Math.abs(here) % 60)}`;
    expect(clockTime(`2026-01-02T09:05:03${own}`, new Date(2026, 0, 2, 12), "en")).toMatch(/^09:05:03/);
  });
  it("numbers are grouped", () => expect(grouped(1234567)).toBe("1,234,567"));
});
