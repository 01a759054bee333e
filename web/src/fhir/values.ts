import { conceptText } from "./codes";
import { readable, toNumber } from "./decimals";
import { formatDateTime, formatPeriod, type Language } from "./dates";
import type { ObservationValue, Quantity, Range, ReferenceRange } from "./types";

/** A value ready to be shown. `missing` says why there is none: unknown is never shown as nought. */
export interface Shown {
  text?: string;
  unit?: string;
  unitMissing?: boolean;
  recorded?: string; // the value as recorded, where fewer digits are shown
  missing?: { reason?: string };
}

const SUPERSCRIPT: Record<string, string> = { "3": "³", "6": "⁶", "9": "⁹", "12": "¹²" };

/** A UCUM unit as it is printed: `mm[Hg]` → mmHg, `10*9/L` → 10⁹/L; annotations such as `{score}` say nothing. */
export function formatUnit(unit: string | undefined): string | undefined {
  if (unit === undefined || unit.trim() === "") return undefined;
  return unit
    .replace(/mm\[Hg\]/g, "mmHg")
    .replace(/\[(\w+)_us\]|\[(\w+)_i\]/g, "$1$2")
    .replace(/\[(iU|IU)\]|\[(arb'U|arb’U)\]/g, (_all, iu: string | undefined) => (iu ? "IU" : "U"))
    .replace(/10[*^](\d+)/g, (_all, power: string) => `10${SUPERSCRIPT[power] ?? `^${power}`}`)
    .replace(/\{1\.73_?m2\}/g, "1.73 m²")
    .replace(/\{[^}]*\}/g, "")
    .replace(/\bm2\b/g, "m²")
    .replace(/\bm3\b/g, "m³")
    .replace(/\bCel\b/g, "°C")
    .replace(/\b[uμ](?=(mol|g|L|U|m|kat|s|V)(\b|\/))/g, "µ")
    .replace(/^1$/, "")
    .replace(/\/$/, "")
    .trim();
}

export function formatQuantity(quantity: Quantity | undefined): Shown {
  if (quantity?.value === undefined) return { missing: {} };
  const { shown, recorded } = readable(quantity.value);
  const unit = formatUnit(quantity.unit ?? quantity.code);
  const sign = { "<": "<", "<=": "≤", ">": ">", ">=": "≥" }[quantity.comparator ?? ""] ?? "";
  return { text: sign + shown, unit: unit || undefined, unitMissing: unit === undefined, recorded };
}

export function formatRange(range: Range | undefined): Shown {
  const low = range?.low?.value === undefined ? undefined : formatQuantity(range.low);
  const high = range?.high?.value === undefined ? undefined : formatQuantity(range.high);
  const unit = high?.unit ?? low?.unit;
  if (low && high) return { text: `${low.text}–${high.text}`, unit };
  if (low) return { text: `≥ ${low.text}`, unit };
  if (high) return { text: `≤ ${high.text}`, unit };
  return { missing: {} };
}

/** Whatever an Observation or component holds, in words; yes and no come from the caller's language. */
export function formatValue(value: ObservationValue, language: Language, yesNo: [string, string]): Shown {
  if (value.valueQuantity) return formatQuantity(value.valueQuantity);
  const text =
    conceptText(value.valueCodeableConcept, language) ??
    (value.valueString?.trim() || undefined) ??
    (value.valueBoolean === undefined ? undefined : yesNo[value.valueBoolean ? 0 : 1]) ??
    (value.valueInteger === undefined ? undefined : String(value.valueInteger)) ??
    value.valueTime ??
    formatDateTime(value.valueDateTime, language) ??
    formatPeriod(value.valuePeriod, language);
  if (text !== undefined) return { text };
  if (value.valueRange) return formatRange(value.valueRange);
  if (value.valueRatio) {
    const [over, under] = [formatQuantity(value.valueRatio.numerator), formatQuantity(value.valueRatio.denominator)];
    const side = (one: Shown): string => [one.text ?? "?", one.unit].filter(Boolean).join(" ");
    return { text: `${side(over)} : ${side(under)}` };
  }
  return { missing: { reason: conceptText(value.dataAbsentReason, language) } };
}

/** The reference range that applies to everyone: the first that is not for another kind (such as "therapeutic"). */
export function normalRange(value: ObservationValue): ReferenceRange | undefined {
  const ranges = value.referenceRange ?? [];
  return ranges.find((one) => !one.type || one.type.coding?.some((c) => c.code === "normal")) ?? undefined;
}

export function formatReferenceRange(value: ObservationValue): string | undefined {
  const range = normalRange(value);
  if (!range) return undefined;
  const shown = formatRange(range);
  return shown.text ?? range.text?.trim() ?? undefined;
}

export type FlagLevel = "critical-high" | "critical-low" | "high" | "low" | "critical" | "abnormal" | "positive" | "normal";
export interface Flag {
  level: FlagLevel;
  from: "recorded" | "range";
}

const INTERPRETATION: Record<string, FlagLevel | undefined> = {
  HH: "critical-high", HU: "critical-high", ">": "high", LL: "critical-low", LU: "critical-low", "<": "low",
  H: "high", L: "low", A: "abnormal", AA: "critical", POS: "positive", DET: "positive", R: "abnormal", N: "normal",
  NEG: "normal", ND: "normal", S: "normal",
};

/**
 * What the laboratory said of a value; where it said nothing, where the value stands to its one reference range. Not
 * computed when there are several ranges (which applies is not ours to guess) or when units differ.
 */
export function flagOf(value: ObservationValue): Flag | undefined {
  for (const concept of value.interpretation ?? []) {
    for (const coding of concept.coding ?? []) {
      const level = INTERPRETATION[coding.code ?? ""];
      if (level) return { level, from: "recorded" };
    }
  }
  const ranges = value.referenceRange ?? [];
  const number = toNumber(value.valueQuantity?.value);
  if (ranges.length !== 1 || number === undefined || value.valueQuantity?.comparator) return undefined;
  const range = normalRange(value);
  if (!range) return undefined;
  const unitOf = (q: Quantity | undefined): string | undefined => q?.code ?? q?.unit;
  const unit = unitOf(value.valueQuantity);
  for (const end of [range.low, range.high]) {
    const other = unitOf(end);
    if (end && other !== undefined && unit !== undefined && other !== unit) return undefined;
  }
  const [low, high] = [toNumber(range.low?.value), toNumber(range.high?.value)];
  if (high !== undefined && number > high) return { level: "high", from: "range" };
  if (low !== undefined && number < low) return { level: "low", from: "range" };
  return low === undefined && high === undefined ? undefined : { level: "normal", from: "range" };
}
