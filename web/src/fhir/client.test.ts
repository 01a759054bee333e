// @vitest-environment jsdom
import { afterEach, describe, expect, it, vi } from "vitest";
import { FhirError, nextPath, readPage, requestText, searchPrivately } from "./client";

afterEach(() => vi.unstubAllGlobals());

function answer(body: string, status = 200): ReturnType<typeof vi.fn> {
  const fetched = vi.fn(() => Promise.resolve(new Response(body, { status })));
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

describe("pages", () => {
  it("parts matches, what came with them and the server's remarks", () => {
    const page = readPage(
      JSON.stringify({
        resourceType: "Bundle",
        link: [{ relation: "next", url: "https://elsewhere.example/fhir/Observation?c=1" }],
        entry: [
          { resource: { resourceType: "Observation", id: "a" }, search: { mode: "match" } },
          { resource: { resourceType: "Medication", id: "m" }, search: { mode: "include" } },
          { resource: { resourceType: "OperationOutcome", issue: [{ severity: "warning", diagnostics: "ignored: x" }] }, search: { mode: "outcome" } },
        ],
      }),
      "http://127.0.0.1:8000",
    );
    expect(page.matches.map((one) => one.id)).toEqual(["a"]);
    expect(page.included.map((one) => one.id)).toEqual(["m"]);
    expect(page.warnings).toEqual(["ignored: x"]);
    expect(page.next).toBe("/fhir/Observation?c=1"); // asked of this server, whatever host the link names
  });
  it("does not follow a link out of the record's own paths", () => {
    const bundle = (url: string) => ({ resourceType: "Bundle" as const, link: [{ relation: "next", url }] });
    expect(nextPath(bundle("/admin?x"), "http://h")).toBeUndefined();
    expect(nextPath(bundle("?page=2"), "http://h")).toBe("/fhir/?page=2");
  });
});

describe("requests", () => {
  it("keeps a typed name out of the address", async () => {
    const fetched = answer('{"resourceType":"Bundle"}');
    await searchPrivately("Patient", [["name", "张伟"]]);
    const [url, options] = fetched.mock.calls[0] as unknown as [string, RequestInit];
    expect(url).toBe("/fhir/Patient/_search");
    expect(options.method).toBe("POST");
    expect(String(options.body)).toBe("name=%E5%BC%A0%E4%BC%9F");
  });
  it("tells silence from refusal, and repeats what the server said", async () => {
    vi.stubGlobal("fetch", vi.fn(() => Promise.reject(new TypeError("network"))));
    await expect(requestText("Patient/1")).rejects.toMatchObject({ kind: "gone" });
    answer("", 503);
    await expect(requestText("Patient/1")).rejects.toMatchObject({ kind: "gone" });
    answer('{"resourceType":"OperationOutcome","issue":[{"diagnostics":"There is no Patient/1."}]}', 404);
    await expect(requestText("Patient/1")).rejects.toMatchObject({ kind: "missing", said: "There is no Patient/1." });
    answer("<html>", 400);
    await expect(requestText("Patient/1")).rejects.toBeInstanceOf(FhirError);
  });
});
