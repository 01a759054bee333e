import { useInfiniteQuery, useMutation, useQuery, useQueryClient, type InfiniteData } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import { requestText } from "../../fhir/client";
import { useEvents, type Line } from "../../fhir/events";

export type State = "queued" | "running" | "done" | "failed" | "cancelled";
export const STATES: State[] = ["running", "queued", "failed", "done", "cancelled"];

/** A job as the server tells it; `title`, `stage` and `reason` are sentences in the reader's language. */
export interface Job {
  id: string;
  kind: string;
  title: string;
  state: State;
  done: number;
  of: number | null;
  stage: string | null;
  queued: string;
  started: string | null;
  ended: string | null;
  attempts: number;
  attemptsMost: number;
  reason: string | null;
  cancelAsked: boolean;
  canCancel: boolean;
  canRetry: boolean;
}

export interface JobsPage {
  jobs: Job[];
  counts: Partial<Record<State, number>>;
  next: string | null;
}

export interface LogLine {
  at: string;
  level: "info" | "warning" | "error";
  text: string;
}

type Pages = InfiniteData<JobsPage, string | undefined>;

/** The pages with `job` as it is now: in its place, at the top where it is new, away where the filter no longer holds it. */
export function withJob(pages: Pages, job: Job, filter: State | undefined): Pages {
  const fits = !filter || job.state === filter;
  let found = false;
  const changed = pages.pages.map((page) => ({
    ...page,
    jobs: page.jobs.flatMap((one) => {
      if (one.id !== job.id) return [one];
      found = true;
      return fits ? [job] : [];
    }),
  }));
  const newest = changed[0];
  if (!found && fits && newest) {
    // An old one that has just come to be what the filter asks for stands where its time puts it, if that is in sight.
    const at = newest.jobs.findIndex((one) => new Date(one.queued) <= new Date(job.queued));
    if (at >= 0) newest.jobs.splice(at, 0, job);
    else if (!newest.next) newest.jobs.push(job);
  }
  return { ...pages, pages: changed };
}

const COUNT_PAUSE_MS = 700;

/** The jobs of one state or of all, as they are now: events move them, and a look at the whole now and then sets the counts right. */
export function useJobs(filter: State | undefined, language: string) {
  const client = useQueryClient();
  const key = ["jobs", language, filter ?? "all"];
  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }): Promise<JobsPage> => {
      const asked = new URLSearchParams({ limit: "50" });
      if (filter) asked.set("state", filter);
      if (pageParam) asked.set("after", pageParam);
      return JSON.parse(await requestText(`/api/jobs?${asked}`, signal)) as JobsPage;
    },
    getNextPageParam: (last) => last.next ?? undefined,
    staleTime: 5_000,
  });
  const counts = useQuery({
    queryKey: ["jobs", "counts"],
    queryFn: async ({ signal }) => (JSON.parse(await requestText("/api/jobs/counts", signal)) as Pick<JobsPage, "counts">).counts,
    refetchInterval: 15_000,
  });
  const timer = useRef<number>(undefined);
  const recount = useCallback((): void => {
    timer.current ??= window.setTimeout(() => {
      timer.current = undefined;
      void client.invalidateQueries({ queryKey: ["jobs", "counts"] });
    }, COUNT_PAUSE_MS);
  }, [client]);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const put = (job: Job): void => {
    const before = client.getQueryData<Pages>(key)?.pages.flatMap((page) => page.jobs).find((one) => one.id === job.id);
    client.setQueryData<Pages>(key, (pages) => pages && withJob(pages, job, filter));
    if (before?.state !== job.state) {
      recount();
      void client.invalidateQueries({ queryKey: ["job-log", job.id] });
    }
  };
  const line: Line = useEvents("/api/jobs/events", ["job"], (data) => put(data as Job));
  return { query, counts: counts.data ?? {}, line, put };
}

export function useLog(id: string, moving: boolean) {
  return useQuery({
    queryKey: ["job-log", id],
    queryFn: async ({ signal }) => (JSON.parse(await requestText(`/api/jobs/${encodeURIComponent(id)}/log`, signal)) as { lines: LogLine[] }).lines,
    refetchInterval: moving ? 2000 : false,
  });
}

export function useDo(what: "cancel" | "retry", done: (job: Job) => void) {
  return useMutation({
    mutationFn: async (id: string) =>
      JSON.parse(await requestText(`/api/jobs/${encodeURIComponent(id)}/${what}`, undefined, new URLSearchParams())) as Job,
    onSuccess: done,
  });
}
