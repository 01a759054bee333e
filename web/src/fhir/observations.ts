import { codeOf, conceptKey, hasCode, isEnteredInError, LOINC } from "./codes";
import { toNumber } from "./decimals";
import { toTime } from "./dates";
import { TEST_NAMES } from "./test-names";
import { formatReferenceRange, formatUnit, normalRange } from "./values";
import type { CodeableConcept, Observation, ObservationValue } from "./types";

export type Group = "vitals" | "results" | "assessments";

const VITALS = [
  "85354-9", "55284-4", "8480-6", "8462-4", "8867-4", "9279-1", "8310-5", "8331-1", "2708-6", "59408-5", "29463-7", "3141-9",
  "8302-2", "39156-5", "8287-5", "9843-4", "72514-3",
];
/** What a clinician reads first, first. Anything else follows by date. */
const VITAL_ORDER = [
  ["85354-9", "55284-4"], ["8867-4"], ["9279-1"], ["8310-5", "8331-1", "8328-7"], ["59408-5", "2708-6"], ["29463-7", "3141-9"],
  ["8302-2"], ["39156-5"],
];

/** Tests of one day stand in the order of a laboratory's sheet: sugar, kidney, salts, fats, blood count, liver … */
const TEST_ORDER = Object.keys(TEST_NAMES);

export function whenOf(observation: Observation): string | undefined {
  return (
    observation.effectiveDateTime ??
    observation.effectiveInstant ??
    observation.effectivePeriod?.start ??
    observation.effectivePeriod?.end ??
    observation.issued
  );
}

export function groupOf(observation: Observation): Group {
  const in_ = (...codes: string[]): boolean => observation.category?.some((one) => hasCode(one, codes)) ?? false;
  if (in_("vital-signs")) return "vitals";
  if (in_("laboratory", "LAB")) return "results";
  if (in_("social-history", "survey", "exam", "activity", "therapy")) return "assessments";
  if (!observation.category?.length && VITALS.includes(codeOf(observation.code, LOINC) ?? "")) return "vitals";
  return "results";
}

/** All values of one kind of test, newest first. */
export interface Series {
  key: string;
  code: CodeableConcept | undefined;
  points: Observation[];
}

/** A panel that has members and no value of its own: its members stand in rows of their own. */
function onlyGathers(observation: Observation): boolean {
  const holds = Object.keys(observation).some((key) => key.startsWith("value") || key === "dataAbsentReason" || key === "component");
  return Boolean(observation.hasMember?.length) && !holds;
}

/** One row a test. Withdrawn observations are left out; `withdrawn` says how many. */
export function seriesOf(observations: Observation[], group: Group): { series: Series[]; withdrawn: number } {
  const byKey = new Map<string, Series>();
  let withdrawn = 0;
  for (const observation of observations) {
    if (groupOf(observation) !== group || onlyGathers(observation)) continue;
    if (isEnteredInError(observation)) {
      withdrawn += 1;
      continue;
    }
    const key = conceptKey(observation.code);
    const series = byKey.get(key);
    if (series) series.points.push(observation);
    else byKey.set(key, { key, code: observation.code, points: [observation] });
  }
  const time = (one: Observation): number => toTime(whenOf(one)) ?? -Infinity;
  const series = [...byKey.values()];
  for (const one of series) one.points.sort((a, b) => time(b) - time(a));
  const place = (one: Series): number => {
    const code = codeOf(one.code, LOINC) ?? "";
    const at = group === "vitals" ? VITAL_ORDER.findIndex((codes) => codes.includes(code)) : TEST_ORDER.indexOf(code);
    return at < 0 ? Infinity : at;
  };
  const day = (one: Series): number => Math.floor(time(one.points[0]!) / 86_400_000);
  const apart = (a: number, b: number): number => (a === b ? 0 : a - b); // Infinity − Infinity is no number
  series.sort((a, b) => {
    const byPlace = apart(place(a), place(b));
    const byDay = apart(day(b), day(a));
    return (group === "vitals" ? byPlace || byDay : byDay || byPlace) || a.key.localeCompare(b.key);
  });
  return { series, withdrawn };
}

/** The values an observation holds: its own, or its components'. */
export function valuesOf(observation: Observation): { code?: CodeableConcept; value: ObservationValue }[] {
  const own: ObservationValue = observation;
  const components = (observation.component ?? []).map((one) => ({ code: one.code, value: one as ObservationValue }));
  const hasOwn = Object.keys(own).some((key) => key.startsWith("value") || key === "dataAbsentReason");
  return hasOwn || components.length === 0 ? [{ value: own }, ...components] : components;
}

/** Systolic and diastolic of one reading, where that is what it is. */
export function bloodPressure(observation: Observation): { systolic?: ObservationValue; diastolic?: ObservationValue } | undefined {
  const find = (code: string): ObservationValue | undefined =>
    observation.component?.find((one) => codeOf(one.code, LOINC) === code);
  const [systolic, diastolic] = [find("8480-6"), find("8462-4")];
  return systolic || diastolic ? { systolic, diastolic } : undefined;
}

/** One line to draw: the same measurement in the same unit, oldest first; different units are never joined. */
export interface Line {
  key: string;
  code?: CodeableConcept; // of the component, where it is one
  unit?: string;
  points: { time: number; value: number; id: string; exact: boolean }[];
  low?: number;
  high?: number;
}

export function linesOf(series: Series): Line[] {
  const lines = new Map<string, Line>();
  for (const observation of [...series.points].reverse()) {
    const time = toTime(whenOf(observation));
    if (time === undefined) continue;
    for (const { code, value } of valuesOf(observation)) {
      const number = toNumber(value.valueQuantity?.value) ?? value.valueInteger;
      if (number === undefined) continue;
      const unit = formatUnit(value.valueQuantity?.unit ?? value.valueQuantity?.code);
      const key = `${code ? conceptKey(code) : ""}#${unit ?? ""}`;
      const line: Line = lines.get(key) ?? { key, code, unit, points: [] };
      line.points.push({ time, value: number, id: observation.id ?? "", exact: !value.valueQuantity?.comparator });
      const range = (value.referenceRange ?? []).length === 1 ? normalRange(value) : undefined;
      line.low = toNumber(range?.low?.value) ?? line.low;
      line.high = toNumber(range?.high?.value) ?? line.high;
      lines.set(key, line);
    }
  }
  return [...lines.values()];
}

/** The reference range of an observation, or those of its components side by side where any has one. */
export function rangesText(observation: Observation): string | undefined {
  const all = valuesOf(observation).map(({ value }) => formatReferenceRange(value));
  if (all.length === 1) return all[0];
  return all.some(Boolean) ? all.map((range) => range ?? "–").join(" / ") : undefined;
}
