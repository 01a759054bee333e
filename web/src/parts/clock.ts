import { useEffect, useState } from "react";
import type { Language } from "../fhir/dates";

/** The present, anew every `everyMs`. */
export function useNow(everyMs = 1000): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(new Date()), everyMs);
    return () => window.clearInterval(timer);
  }, [everyMs]);
  return now;
}

const OFFSET = /([+-])(\d\d):(\d\d)$/;

/**
 * An instant of the system's own (a job, a backup, not of a record): today's by the time alone. One that says its offset
 * stands in the hospital's time, with the offset where the reader's clock has another; any other on the reader's clock.
 */
export function clockTime(instant: string, now: Date, language: Language): string {
  const said = OFFSET.exec(instant);
  const here = -new Date(instant).getTimezoneOffset();
  const minutes = said ? (said[1] === "-" ? -1 : 1) * (Number(said[2]) * 60 + Number(said[3])) : here;
  const wall = (at: Date): Date => new Date(at.getTime() + minutes * 60_000); // its UTC is what the wall shows
  const at = wall(new Date(instant));
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
  const where = said && minutes !== here ? ` ${said[0]}` : "";
  if (at.toISOString().slice(0, 10) === wall(now).toISOString().slice(0, 10)) return time + where;
  const day = language === "zh"
    ? `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`
    : `${at.getUTCDate()} ${at.toLocaleString("en-GB", { month: "short", timeZone: "UTC" })} ${at.getUTCFullYear()}`;
  return `${day} ${time.slice(0, 5)}${where}`;
}

/** A stretch of time by its two largest units. The keys are `time.…`. */
export function duration(seconds: number, t: (key: string, values?: Record<string, unknown>) => string): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 1) return t("time.under");
  if (whole < 60) return t("time.s", { s: whole });
  if (whole < 3600) return t("time.ms", { m: Math.floor(whole / 60), s: whole % 60 });
  if (whole < 86_400) return t("time.hm", { h: Math.floor(whole / 3600), m: Math.floor((whole % 3600) / 60) });
  return t("time.dh", { d: Math.floor(whole / 86_400), h: Math.floor((whole % 86_400) / 3600) });
}

const NUMBER = new Intl.NumberFormat("en-GB");
/** 12345 → "12,345": the same in both languages. */
export function grouped(value: number): string {
  return NUMBER.format(value);
}
