/**
 * Dates as they were recorded. A FHIR date may be a year, a month, a day or an instant with its own offset; the wall
 * clock that was written down is shown, never moved into the reader's time zone, so that no birthday or test shifts by a day.
 */
export type Language = "en" | "zh";

export interface Parts {
  year: number;
  month?: number; // 1–12
  day?: number;
  time?: string; // HH:MM
}

const PATTERN = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}:\d{2}))?)?)?/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The parts that were written; undefined where the text is no date. */
export function parts(text: string | undefined): Parts | undefined {
  const match = PATTERN.exec(text ?? "");
  if (!match) return undefined;
  const [, year, month, day, time] = match;
  return {
    year: Number(year),
    month: month ? Number(month) : undefined,
    day: day ? Number(day) : undefined,
    time,
  };
}

/** `2019-03-04` → "4 Mar 2019" or "2019-03-04"; partial dates keep to what is known; anything else is given back. */
export function formatDate(text: string | undefined, language: Language): string | undefined {
  if (!text) return undefined;
  const p = parts(text);
  if (!p) return text;
  const year = String(p.year).padStart(4, "0");
  if (language === "zh") {
    if (p.month === undefined) return `${year}年`;
    if (p.day === undefined) return `${year}年${p.month}月`;
    return `${year}-${String(p.month).padStart(2, "0")}-${String(p.day).padStart(2, "0")}`;
  }
  if (p.month === undefined) return year;
  const month = MONTHS[p.month - 1] ?? String(p.month);
  return p.day === undefined ? `${month} ${year}` : `${p.day} ${month} ${year}`;
}

/** The date with its time of day where one was recorded. */
export function formatDateTime(text: string | undefined, language: Language): string | undefined {
  const date = formatDate(text, language);
  const time = parts(text)?.time;
  return date && time && time !== "00:00" ? `${date} ${time}` : date;
}

/** A stretch of time: "3–9 Mar 2019"-like, kept simple: start – end; one day once; open ends said with "since"/"起". */
export function formatPeriod(period: { start?: string; end?: string } | undefined, language: Language): string | undefined {
  const start = formatDate(period?.start, language);
  const end = formatDate(period?.end, language);
  if (start && end) return start === end ? start : language === "zh" ? `${start} 至 ${end}` : `${start} – ${end}`;
  if (start) return language === "zh" ? `${start} 起` : `since ${start}`;
  if (end) return language === "zh" ? `至 ${end}` : `until ${end}`;
  return undefined;
}

/** Milliseconds on one axis for sorting and plotting: the recorded instant, or the start of a partial date (UTC). */
export function toTime(text: string | undefined): number | undefined {
  const p = parts(text);
  if (!p || !text) return undefined;
  if (p.time) {
    const exact = Date.parse(text);
    if (!Number.isNaN(exact)) return exact;
  }
  return Date.UTC(p.year, (p.month ?? 1) - 1, p.day ?? 1);
}

export type Age =
  | { unit: "years" | "months" | "weeks" | "days"; value: number; about: boolean }
  | { unit: "unknown" };

/** Age on a day, in the unit a clinician uses: days under 4 weeks, weeks under 3 months, months under 2 years. */
export function ageOn(birthDate: string | undefined, on: Date): Age {
  const b = parts(birthDate);
  if (!b) return { unit: "unknown" };
  const today: [number, number, number] = [on.getFullYear(), on.getMonth() + 1, on.getDate()];
  const about = b.day === undefined;
  const [month, day] = [b.month ?? 1, b.day ?? 1];
  let months = (today[0] - b.year) * 12 + (today[1] - month);
  if (b.month !== undefined && b.day !== undefined && today[2] < day) months -= 1;
  if (b.month === undefined) months = (today[0] - b.year) * 12;
  if (months < 0) return { unit: "unknown" };
  if (months >= 24 || b.month === undefined) return { unit: "years", value: Math.floor(months / 12), about };
  const days = Math.round((Date.UTC(today[0], today[1] - 1, today[2]) - Date.UTC(b.year, month - 1, day)) / 86_400_000);
  if (days < 0) return { unit: "unknown" };
  if (!about && days < 28) return { unit: "days", value: days, about };
  if (!about && months < 3) return { unit: "weeks", value: Math.floor(days / 7), about };
  return { unit: "months", value: months, about };
}

/** The day to which an age is counted: the day of death where it is known, else today. */
export function ageDay(deceasedDateTime: string | undefined, today: Date): Date {
  const p = parts(deceasedDateTime);
  return p ? new Date(p.year, (p.month ?? 1) - 1, p.day ?? 1) : today;
}
