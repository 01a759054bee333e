import { describe, expect, it } from "vitest";
import { withJob, type Job, type State } from "./queries";

function job(id: string, state: State, queued: string, more: Partial<Job> = {}): Job {
  return {
    id, state, queued, kind: "k", title: id, done: 0, of: null, stage: null, started: null, ended: null, attempts: 1, attemptsMost: 5,
    reason: null, cancelAsked: false, canCancel: false, canRetry: false, ...more,
  };
}

const pages = (jobs: Job[], next: string | null = null) => ({ pageParams: [undefined], pages: [{ jobs, counts: {}, next }] });
const ids = (result: ReturnType<typeof withJob>): string[] => result.pages.flatMap((page) => page.jobs.map((one) => one.id));

describe("jobs that move while one looks", () => {
  const [a, b] = [job("a", "running", "2026-01-02"), job("b", "queued", "2026-01-01")];
  it("stay in their place and show how far they are", () => {
    const result = withJob(pages([a, b]), { ...b, done: 7, of: 10 }, undefined);
    expect(ids(result)).toEqual(["a", "b"]);
    expect(result.pages[0]!.jobs[1]!.done).toBe(7);
  });
  it("come in where their time puts them", () => {
    expect(ids(withJob(pages([a, b]), job("c", "queued", "2026-01-03"), undefined))).toEqual(["c", "a", "b"]);
    expect(ids(withJob(pages([a, b]), job("c", "queued", "2026-01-01T12:00:00Z"), undefined))).toEqual(["a", "c", "b"]);
    expect(ids(withJob(pages([]), a, undefined))).toEqual(["a"]);
  });
  it("are not squeezed in behind what is not loaded yet", () => {
    expect(ids(withJob(pages([a], "more"), job("old", "queued", "2020-01-01"), undefined))).toEqual(["a"]);
  });
  it("leave the list that shows another state", () => {
    expect(ids(withJob(pages([a]), { ...a, state: "done" }, "running"))).toEqual([]);
    expect(ids(withJob(pages([a]), b, "running"))).toEqual(["a"]);
  });
});
