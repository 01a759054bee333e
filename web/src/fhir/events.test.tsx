// @vitest-environment jsdom
import { act, render } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { useEvents } from "./events";

class Source {
  static all: Source[] = [];
  static readonly CLOSED = 2;
  readyState = 1;
  onopen?: () => void;
  onerror?: () => void;
  heard = new Map<string, (event: { data: string; type: string }) => void>();
  constructor(readonly path: string) {
    Source.all.push(this);
  }
  addEventListener(name: string, hear: (event: { data: string; type: string }) => void): void {
    this.heard.set(name, hear);
  }
  close(): void {
    this.readyState = Source.CLOSED;
  }
}

let heard: unknown[] = [];
let line = "";
function Page({ path }: { path: string | undefined }): null {
  line = useEvents(path, ["change"], (data) => heard.push(data));
  return null;
}

beforeEach(() => {
  Source.all = [];
  heard = [];
  vi.stubGlobal("EventSource", Source);
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const seen = (state: "visible" | "hidden"): void => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  act(() => void document.dispatchEvent(new Event("visibilitychange")));
};

describe("a line to the server", () => {
  it("hears what is said and passes over what is cut off", () => {
    const page = render(<Page path="/api/feed" />);
    act(() => Source.all[0]!.onopen?.());
    Source.all[0]!.heard.get("change")!({ data: '{"id":"a"}', type: "change" });
    Source.all[0]!.heard.get("change")!({ data: '{"id":', type: "change" });
    expect(heard).toEqual([{ id: "a" }]);
    expect(line).toBe("open");
    page.unmount();
    expect(Source.all[0]!.readyState).toBe(Source.CLOSED);
  });
  it("is taken up again where the browser has given up, and only then", () => {
    render(<Page path="/api/feed" />);
    act(() => Source.all[0]!.onerror?.());
    act(() => void vi.advanceTimersByTime(20_000));
    expect(Source.all).toHaveLength(1);
    Source.all[0]!.close();
    act(() => Source.all[0]!.onerror?.());
    expect(line).toBe("lost");
    act(() => void vi.advanceTimersByTime(5000));
    expect(Source.all).toHaveLength(2);
  });
  it("is let go while nobody looks", () => {
    render(<Page path="/api/feed" />);
    seen("hidden");
    expect(Source.all[0]!.readyState).toBe(Source.CLOSED);
    seen("visible");
    expect(Source.all).toHaveLength(2);
  });
  it("is not opened where there is nothing to hear", () => {
    render(<Page path={undefined} />);
    expect(Source.all).toHaveLength(0);
  });
});
