/** From what a person types to FHIR searches: a name (characters, pinyin, initials), an identifier, a phone, a birth date. */

export interface Lookup {
  by: "name" | "identifier" | "phone" | "birthdate" | "id";
  parameters: [string, string][];
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && year >= 1850 && year <= 2100;
}

function iso(year: number, month?: number, day?: number): string | undefined {
  const two = (n: number): string => String(n).padStart(2, "0");
  if (year < 1850 || year > 2100) return undefined;
  if (month === undefined) return String(year);
  if (month < 1 || month > 12) return undefined;
  if (day === undefined) return `${year}-${two(month)}`;
  return isDay(year, month, day) ? `${year}-${two(month)}-${two(day)}` : undefined;
}

/** A date as people write it: 1964-05-03, 1964/5/3, 19640503, 1964年5月3日, 3 May 1964, 1964-05, 1964. */
export function readDate(text: string): string | undefined {
  const t = text.trim().toLowerCase();
  let m = /^(\d{4})(\d{2})(\d{2})$/.exec(t);
  if (m) return iso(Number(m[1]), Number(m[2]), Number(m[3]));
  m = /^(\d{4})(?:\s*[-/.年]\s*(?:(\d{1,2})(?:\s*[-/.月]\s*(?:(\d{1,2})\s*日?)?)?)?)?$/.exec(t);
  if (m) return iso(Number(m[1]), m[2] ? Number(m[2]) : undefined, m[3] ? Number(m[3]) : undefined);
  m = /^(\d{1,2})\s+([a-z]{3})[a-z]*\.?,?\s+(\d{4})$/.exec(t);
  if (m) return monthDate(m[2]!, Number(m[3]), Number(m[1]));
  m = /^([a-z]{3})[a-z]*\.?\s+(\d{1,2}),?\s+(\d{4})$/.exec(t);
  if (m) return monthDate(m[1]!, Number(m[3]), Number(m[2]));
  m = /^([a-z]{3})[a-z]*\.?\s+(\d{4})$/.exec(t);
  return m ? monthDate(m[1]!, Number(m[2])) : undefined;
}

function monthDate(month: string, year: number, day?: number): string | undefined {
  const at = MONTHS.indexOf(month);
  return at < 0 ? undefined : iso(year, at + 1, day);
}

/** FHIR escapes the characters that part values from one another. */
export function escapeValue(text: string): string {
  return text.replace(/[\\,|$]/g, (character) => `\\${character}`);
}

/** The searches that together answer what was typed; none for nothing typed. */
export function lookups(typed: string): Lookup[] {
  const text = typed.normalize("NFC").trim();
  if (!text) return [];
  const date = readDate(text);
  const hasDigit = /\d/.test(text);
  const found: Lookup[] = [];
  if (date) found.push({ by: "birthdate", parameters: [["birthdate", date]] });
  if (hasDigit && !(date && /[-/.年\s]/.test(text))) {
    if (/^[A-Za-z0-9.-]{20,64}$/.test(text)) found.push({ by: "id", parameters: [["_id", text]] });
    found.push({ by: "identifier", parameters: [["identifier", escapeValue(text)]] });
    if (/^\+?[\d\s()-]{5,}$/.test(text)) found.push({ by: "phone", parameters: [["phone", escapeValue(text)]] });
  }
  if (!hasDigit) {
    const words = text.split(/[\s,，·]+/).filter(Boolean);
    if (words.length) found.push({ by: "name", parameters: words.map((word) => ["name", escapeValue(word)]) });
  }
  return found;
}
