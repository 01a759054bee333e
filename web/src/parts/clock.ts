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

/** An instant of the system's own (a job, a backup, not of a record) on the reader's clock: today's by the time alone. */
export function clockTime(instant: string, now: Date, language: Language): string {
  const at = new Date(instant);
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === now.toDateString()) return time;
  const day = language === "zh"
    ? `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
    : `${at.getDate()} ${at.toLocaleString("en-GB", { month: "short" })} ${at.getFullYear()}`;
  return `${day} ${time.slice(0, 5)}`;
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
