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
  it("numbers are grouped", () => expect(grouped(1234567)).toBe("1,234,567"));
});
