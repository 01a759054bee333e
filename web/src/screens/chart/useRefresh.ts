import { useQueryClient, type Query } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useEvents, type Line } from "../../fhir/events";

export interface ChangeEvent {
  type: string;
  id: string;
  patient?: string | null;
}

const PAUSE_MS = 600;
const LATEST_MS = 3000;

/** Whether a change is one of this patient's chart. What has no patient (a medication, a ward) is not waited for. */
export function concerns(change: ChangeEvent, patient: string): boolean {
  return change.patient === patient || (change.type === "Patient" && change.id === patient);
}

/** Whether a query of this chart holds resources of one of `types`. */
export function holds(query: Pick<Query, "queryKey">, patient: string, types: ReadonlySet<string>): boolean {
  const [what, type, which] = query.queryKey;
  if (what === "read") return type === "Patient" && which === patient && types.has("Patient");
  return what === "pages" && types.has(String(type)) && Array.isArray(which) && (which as [string, string][]).some(([name, value]) => name === "patient" && value === patient);
}

/** Keeps the chart as the record is: what changes for this patient is fetched anew, a moment after the last of several changes, and
 * put in place. What is open, typed or scrolled to stays, since nothing on the page is made anew but the values that changed. */
export function useRefresh(patient: string, on: boolean): { line: Line; refreshed: Date | undefined } {
  const client = useQueryClient();
  const [refreshed, setRefreshed] = useState<Date>();
  const pending = useRef(new Set<string>());
  const timer = useRef<number>(undefined);
  const since = useRef<number>(undefined);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const refresh = async (): Promise<void> => {
    const types = pending.current;
    pending.current = new Set();
    since.current = undefined;
    await client.invalidateQueries({ predicate: (query) => holds(query, patient, types) });
    setRefreshed(new Date());
  };
  const line = useEvents(on ? "/api/feed" : undefined, ["change"], (data) => {
    const change = data as ChangeEvent;
    if (!concerns(change, patient)) return;
    pending.current.add(change.type);
    since.current ??= Date.now();
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void refresh(), Math.min(PAUSE_MS, Math.max(0, since.current + LATEST_MS - Date.now())));
  });
  // What happened while the line was broken, or the page hidden, is not told again: it is fetched.
  const opened = useRef(false);
  useEffect(() => {
    if (line !== "open") return;
    if (opened.current) void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "pages" || queryKey[0] === "read" });
    opened.current = true;
  }, [line, client]);
  return { line, refreshed };
}
