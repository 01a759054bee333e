import { describe, expect, it } from "vitest";
import en from "./en.json";
import zh from "./zh.json";

function flat(tree: object, prefix = ""): Map<string, string> {
  return new Map(
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === "object" ? [...flat(value as object, `${prefix}${key}.`)] : [[prefix + key, value as string] as const]),
  );
}

const [english, chinese] = [flat(en), flat(zh)];
const sources = import.meta.glob(["../**/*.{ts,tsx}", "!../**/*.test.*"], { query: "?raw", import: "default", eager: true }) as Record<string, string>;

describe("sentences", () => {
  it("exist under the same keys in both languages", () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort());
  });
  it("take the same values in both languages", () => {
    const holes = (text: string): string[] => [...new Set(text.match(/{{\w+}}/g) ?? [])].sort();
    for (const [key, text] of english) {
      // "once a day" holds no number where "2 times a day" does
      const plural = key.replace(/_one$/, "_other");
      expect(holes(chinese.get(key)!), key).toEqual(holes(english.get(plural) ?? text));
    }
  });
  it("are written: no Chinese sentence is left in English, nor the other way", () => {
    const han = /\p{Script=Han}/u;
    const shared = new Set(["shell.language", "shell.languageLabel", "source.json", "search.placeholder", "dosage.each", "banner.note", "listComma", "jobs.took"]);
    for (const [key, text] of chinese) if (!shared.has(key)) expect(han.test(text), `${key}: ${text}`).toBe(true);
    for (const [key, text] of english) if (!shared.has(key)) expect(han.test(text), `${key}: ${text}`).toBe(false);
  });
  it("are all there that the screens ask for by a fixed key", () => {
    const asked = new Set<string>();
    for (const text of Object.values(sources))
      for (const match of text.matchAll(/\bt\(\s*"([\w.-]+)"/g)) asked.add(match[1]!);
    expect(asked.size).toBeGreaterThan(80);
    for (const key of asked) expect(english.has(key) || english.has(`${key}_other`), key).toBe(true);
  });
});

describe("source files", () => {
  it("are no longer than 300 lines each", () => {
    for (const [path, text] of Object.entries(sources)) expect(text.split("\n").length, path).toBeLessThanOrEqual(300);
  });
  it("put nothing of a patient into storage and set no HTML", () => {
    for (const [path, text] of Object.entries(sources)) {
      expect(text, path).not.toMatch(/dangerouslySetInnerHTML|innerHTML|sessionStorage|indexedDB|document\.cookie/);
      if (path !== "./index.ts") expect(text, path).not.toContain("localStorage");
    }
  });
});
