// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { usePages } from "./usePages";

afterEach(() => vi.unstubAllGlobals());

const SIZE = 3;

/** A record of so many observations, served in pages of three; page `broken` answers 500. */
function serve(total: number, broken = -1): string[] {
  const asked: string[] = [];
  vi.stubGlobal(
    "fetch",
    vi.fn((url: string) => {
      asked.push(url);
      const from = Number(new URL(url, "http://h").searchParams.get("from") ?? 0);
      if (from / SIZE === broken) return Promise.resolve(new Response("{}", { status: 500 }));
      const ids = Array.from({ length: Math.min(SIZE, total - from) }, (_, at) => `o${from + at}`);
      const link = from + SIZE < total ? [{ relation: "next", url: `http://h/fhir/Observation?from=${from + SIZE}` }] : [];
      const entry = ids.map((id) => ({ resource: { resourceType: "Observation", id }, search: { mode: "match" } }));
      return Promise.resolve(new Response(JSON.stringify({ resourceType: "Bundle", link, entry })));
    }),
  );
  return asked;
}

function pages(limit: number) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const wrapper = ({ children }: { children: ReactNode }): ReactNode => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  return renderHook(() => usePages("Observation", [["patient", "p"]], limit), { wrapper });
}

describe("pages that follow one another", () => {
  it("are read to the end by themselves", async () => {
    serve(8);
    const { result } = pages(100);
    await waitFor(() => expect(result.current.complete).toBe(true));
    expect(result.current.items).toHaveLength(8);
    expect(result.current.more).toBe(false);
  });
  it("stop at the limit, say that there is more, and go on when asked", async () => {
    const asked = serve(8);
    const { result } = pages(6);
    await waitFor(() => expect(result.current.more).toBe(true));
    expect(result.current.items).toHaveLength(6);
    expect(result.current.complete).toBe(false);
    expect(asked).toHaveLength(2);
    act(() => result.current.loadMore());
    await waitFor(() => expect(result.current.complete).toBe(true));
    expect(result.current.items).toHaveLength(8);
  });
  it("keep what was read when a later page fails, and do not call it complete", async () => {
    serve(8, 1);
    const { result } = pages(100);
    await waitFor(() => expect(result.current.error).toBeTruthy());
    expect(result.current.status).toBe("ready");
    expect(result.current.items).toHaveLength(3);
    expect(result.current.complete).toBe(false);
  });
  it("are failed, not empty, when the first one fails", async () => {
    serve(8, 0);
    const { result } = pages(100);
    await waitFor(() => expect(result.current.status).toBe("failed"));
    expect(result.current.complete).toBe(false);
  });
});
