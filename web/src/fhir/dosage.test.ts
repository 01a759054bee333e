// @vitest-environment jsdom
import { beforeAll, describe, expect, it } from "vitest";
import { startLanguage } from "../i18n";
import { formatDosage } from "./dosage";
import type { Dosage } from "./types";

let say: { en: (key: string, values?: Record<string, unknown>) => string; zh: (key: string, values?: Record<string, unknown>) => string };
beforeAll(() => {
  const i18n = startLanguage("en");
  const [en, zh] = [i18n.getFixedT("en"), i18n.getFixedT("zh")];
  say = { en: (key, values) => en(key, values ?? {}), zh: (key, values) => zh(key, values ?? {}) };
});

describe("dosage", () => {
  const twice: Dosage = {
    timing: { repeat: { frequency: 2, period: "1", periodUnit: "d" } }, doseAndRate: [{ doseQuantity: { value: "0.50", unit: "g" } }], route: { text: "口服" },
  };
  it("is composed in the reader's language", () => {
    expect(formatDosage(twice, "en", say.en)).toBe("0.50 g, 2 times a day, 口服");
    expect(formatDosage(twice, "zh", say.zh)).toBe("每次 0.50 g，每日 2 次，口服");
    expect(formatDosage({ timing: { repeat: { frequency: 1, period: 8, periodUnit: "h" } } }, "en", say.en)).toBe("every 8 hours");
    expect(formatDosage({ timing: { code: { coding: [{ code: "BID" }] } }, asNeededBoolean: true }, "zh", say.zh)).toBe("每日 2 次，必要时");
  });
  it("gives a person's own words first, and nothing where nothing was written", () => {
    expect(formatDosage({ ...twice, text: "遵医嘱" }, "en", say.en)).toBe("遵医嘱");
    expect(formatDosage({}, "en", say.en)).toBeUndefined();
  });
});
