import { conceptText } from "./codes";
import type { Language } from "./dates";
import { formatQuantity, formatRange } from "./values";
import type { Dosage, Timing } from "./types";

/** The translate function, as far as it is used here. */
export type Say = (key: string, values?: Record<string, unknown>) => string;

const TIMING_CODES = ["QD", "BID", "TID", "QID", "QOD", "Q4H", "Q6H", "AM", "PM", "BED", "WK", "MO", "Q8H", "Q1H", "Q2H", "Q3H"];
const PERIOD_UNITS = ["s", "min", "h", "d", "wk", "mo", "a"];

function timing(one: Timing | undefined, language: Language, say: Say): string | undefined {
  const code = one?.code?.coding?.find((coding) => TIMING_CODES.includes(coding.code ?? ""))?.code;
  const repeat = one?.repeat;
  if (repeat?.periodUnit && PERIOD_UNITS.includes(repeat.periodUnit) && repeat.period !== undefined) {
    const times = repeat.frequencyMax ? `${repeat.frequency ?? 1}–${repeat.frequencyMax}` : String(repeat.frequency ?? 1);
    const period = String(Number(repeat.period));
    return period === "1"
      ? say(`dosage.timesEvery.${repeat.periodUnit}`, { times, count: repeat.frequencyMax ?? repeat.frequency ?? 1 })
      : say(`dosage.timesEveryMany.${repeat.periodUnit}`, { times, period, count: repeat.frequencyMax ?? repeat.frequency ?? 1 });
  }
  if (code) return say(`dosage.code.${code}`);
  return conceptText(one?.code, language);
}

/** How to take a medicine, in words. What was written by a person comes first; undefined where nothing was. */
export function formatDosage(dosage: Dosage, language: Language, say: Say): string | undefined {
  if (dosage.text?.trim()) return dosage.text.trim();
  const dose = dosage.doseAndRate?.[0];
  const shown = dose?.doseQuantity ? formatQuantity(dose.doseQuantity) : dose?.doseRange ? formatRange(dose.doseRange) : undefined;
  const amount = shown?.text && [shown.text, shown.unit].filter(Boolean).join(" ");
  const parts = [
    amount && say("dosage.each", { amount }),
    timing(dosage.timing, language, say),
    conceptText(dosage.route, language),
    dosage.asNeededBoolean ? say("dosage.asNeeded") : undefined,
    dosage.asNeededCodeableConcept && say("dosage.asNeededFor", { reason: conceptText(dosage.asNeededCodeableConcept, language) ?? "" }),
    dosage.patientInstruction,
  ].filter(Boolean);
  return parts.length ? parts.join(say("listComma")) : undefined;
}
