import { useQuery } from "@tanstack/react-query";
import { requestText } from "../../fhir/client";
import type { State } from "../jobs/queries";

export interface Consumer {
  name: string;
  commits: number; // behind
  seconds: number; // the age of the oldest of these
  parked: number;
  led: boolean;
  reason: string | null;
}

export interface Status {
  version: string;
  now: string;
  database: string;
  feed: { position: number; consumers: Consumer[] };
  jobs: { counts: Partial<Record<State, number>>; waiting: number; waitingSeconds: number; workers: number };
  backup: { folder: string | null; newest: string | null; rehearsed: string | null; well: boolean | null; reason: string | null };
}

export interface Check {
  name: string;
  level: "ok" | "note" | "warning" | "error";
  message: string;
}

export async function askStatus({ signal }: { signal: AbortSignal }): Promise<Status> {
  return JSON.parse(await requestText("/api/status", signal)) as Status;
}

export function useChecks(language: string) {
  return useQuery({
    queryKey: ["checks", language],
    queryFn: async ({ signal }) => (JSON.parse(await requestText("/api/status/checks", signal)) as { checks: Check[] }).checks,
    refetchInterval: 60_000,
  });
}
