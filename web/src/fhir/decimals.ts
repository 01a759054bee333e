import type { Decimal } from "./types";

// Worth the slower reviver only where a number would change by going through JavaScript's: a trailing zero after the
// point, an exponent, or more than 15 digits.
const FRAGILE = /\d\.\d*0[\s,}\]]|\d[eE][+-]?\d|\d{16,}|\.\d{15,}/;

/** JSON.parse, but a number that JavaScript would write differently stays the text it was: `1.10` → `"1.10"`. */
export function parseKeepingDecimals<T>(text: string): T {
  if (!FRAGILE.test(text)) return JSON.parse(text) as T;
  const keep = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source
      ? context.source
      : value;
  return JSON.parse(text, keep as (key: string, value: unknown) => unknown) as T;
}

/** The number behind a decimal for plotting and comparing; undefined where there is none. */
export function toNumber(value: Decimal | undefined): number | undefined {
  if (value === undefined || value === "") return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/**
 * A decimal as a person reads it. As recorded, except that a machine's long tail is cut: more than six significant
 * digits with more than two decimals is shown to two decimals (three significant digits below one).
 * The second member is the recorded text where it was cut.
 */
export function readable(value: Decimal): { shown: string; recorded?: string } {
  const text = String(value);
  const number = Number(text);
  if (!Number.isFinite(number)) return { shown: text };
  const decimals = /\.(\d+)/.exec(text)?.[1]?.length ?? 0;
  const digits = text.replace(/[eE].*$/, "").replace(/[^\d]/g, "").replace(/^0+/, "").length;
  if (/[eE]/.test(text) || (digits > 6 && decimals > 2)) {
    const size = Math.abs(number);
    const shown = size >= 1 && size < 1e9 ? number.toFixed(2) : String(Number(number.toPrecision(3)));
    return shown === text ? { shown } : { shown, recorded: text };
  }
  return { shown: text };
}
