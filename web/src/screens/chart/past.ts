import { createContext, useContext } from "react";

/** The past that a chart shows: a day, and whether what was `known` to the record then is meant or what was `valid` (had happened)
 * by then as it is known today. Undefined: the present. */
export interface Past {
  by: "known" | "valid";
  day: string; // YYYY-MM-DD
}

export interface PastSearch {
  known?: string;
  valid?: string;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** The past in an address; anything that is no day is passed over. */
export function readSearch(search: Record<string, unknown>): PastSearch {
  for (const by of ["known", "valid"] as const) {
    const day = search[by];
    if (typeof day === "string" && DAY.test(day) && !Number.isNaN(Date.parse(day))) return { [by]: day };
  }
  return {};
}

export function pastOf(search: PastSearch): Past | undefined {
  if (search.known) return { by: "known", day: search.known };
  return search.valid ? { by: "valid", day: search.valid } : undefined;
}

/** As search parameters: none for the present. */
export function asParameters(past: Past | undefined): [string, string][] {
  return past ? [[`_${past.by}`, past.day]] : [];
}

export const PastContext = createContext<Past | undefined>(undefined);

/** The day that the chart stands at: ages are counted to it. */
export function useToday(): Date {
  const past = useContext(PastContext);
  return past ? new Date(`${past.day}T12:00:00`) : new Date();
}
