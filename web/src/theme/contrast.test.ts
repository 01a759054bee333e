import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

/** WCAG 2.2 relative luminance and contrast. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const css = readFileSync("src/theme/tokens.css", "utf8");
function tokens(block: RegExp): Map<string, string> {
  const text = block.exec(css)?.[1] ?? "";
  return new Map([...text.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map((m) => [m[1]!, m[2]!]));
}

describe.each([
  ["light", tokens(/:root\s*{([^}]*)}/)],
  ["dark", tokens(/\[data-mantine-color-scheme="dark"\]\s*{([^}]*)}/)],
])("%s colours", (_name, token) => {
  const grounds = ["page", "panel", "panel-2"];
  const pairs = [
    ...["ink", "ink-2", "accent", "high", "low", "warn", "draft"].flatMap((ink) => grounds.map((ground) => [ink, ground])),
    ["high", "high-ground"], ["low", "low-ground"], ["warn", "warn-ground"], ["draft", "draft-ground"], ["ink", "quiet-ground"],
  ] as [string, string][];
  it.each(pairs)("%s on %s can be read", (ink, ground) => {
    expect(contrast(token.get(ink)!, token.get(ground)!)).toBeGreaterThanOrEqual(4.5);
  });
  it.each(["plot-1", "plot-2", "plot-3"])("%s can be seen on a panel", (line) => {
    expect(contrast(token.get(line)!, token.get("panel")!)).toBeGreaterThanOrEqual(3);
  });
});
