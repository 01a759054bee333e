// @vitest-environment jsdom
import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { FhirError } from "../fhir/client";
import type { Resource } from "../fhir/types";
import type { Pages } from "../fhir/usePages";
import { startLanguage } from "../i18n";
import { PagesPanel } from "./PagesPanel";

beforeAll(() => {
  void startLanguage("en");
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
});

function show(...states: Partial<Pages<Resource>>[]): string {
  const pages = states.map((state) => ({
    items: [], included: new Map(), status: "ready" as const, error: null, complete: true, more: false, loadingMore: false,
    loadMore: () => undefined, retry: () => undefined, warnings: [], ...state,
  }));
  const { container } = render(
    <MantineProvider>
      <PagesPanel title="Allergies" id="x" pages={pages} empty="None recorded." isEmpty={pages.every((one) => !one.items.length)}>
        {() => <p>Some</p>}
      </PagesPanel>
    </MantineProvider>,
  );
  return container.textContent ?? "";
}

const items = [{ resourceType: "AllergyIntolerance", id: "a" }];

describe("a list that may be empty", () => {
  it("says that nothing is recorded only once everything was read to its end", () => {
    expect(show({})).toContain("None recorded.");
    expect(show({ status: "loading", complete: false })).not.toContain("None recorded.");
    expect(show({}, { status: "loading", complete: false })).not.toContain("None recorded.");
  });
  it("never says so when a search failed", () => {
    const failed = { status: "failed" as const, complete: false, error: new FhirError("failed", 500, "Too tired.") };
    const text = show({}, failed);
    expect(text).not.toContain("None recorded.");
    expect(text).toContain("Too tired.");
    expect(screen.getAllByRole("alert").length).toBeGreaterThan(0);
  });
  it("says what it holds, and that there is more or that a part failed", () => {
    expect(show({ items, more: true, complete: false })).toContain("Newest 1 loaded; the record holds more.");
    expect(show({ items, complete: false, error: new FhirError("gone", 0, undefined) })).toContain("Some");
    expect(show({ items, warnings: ["ignored: x"] })).toContain("The server remarked: ignored: x");
  });
});
