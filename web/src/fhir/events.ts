import { useEffect, useRef, useState } from "react";

const AGAIN_MS = 5000;

/** Whether the line to the server is open: events come as they happen. */
export type Line = "opening" | "open" | "lost";

/** Listens to server-sent events at `path` (undefined: to none) for as long as the component is shown. The browser takes the line
 * up again by itself; where it gives up, because the server refused or was gone for long, this does. A page that nobody looks at lets
 * its line go: a browser opens no more than six to a server, and six charts in six tabs would leave none to ask with. */
export function useEvents(path: string | undefined, names: readonly string[], onEvent: (data: unknown, name: string) => void): Line {
  const [line, setLine] = useState<Line>("opening");
  const latest = useRef(onEvent);
  useEffect(() => {
    latest.current = onEvent;
  });
  const joined = names.join(" ");
  useEffect(() => {
    if (!path || typeof EventSource === "undefined") return undefined;
    let source: EventSource | undefined;
    let timer: number | undefined;
    const open = (): void => {
      source = new EventSource(path);
      source.onopen = () => setLine("open");
      source.onerror = () => {
        setLine("lost");
        if (source?.readyState !== EventSource.CLOSED) return; // it tries again by itself
        timer = window.setTimeout(open, AGAIN_MS);
      };
      const hear = (event: MessageEvent<string>): void => {
        try {
          latest.current(JSON.parse(event.data), event.type);
        } catch {
          // half a line from a server that went away: the next look at the whole brings what it said
        }
      };
      for (const name of joined.split(" ")) source.addEventListener(name, hear as EventListener);
    };
    const close = (): void => {
      source?.close();
      source = undefined;
      window.clearTimeout(timer);
    };
    const look = (): void => {
      if (document.visibilityState === "hidden") {
        close();
        setLine("opening");
      } else if (!source) open();
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      close();
    };
  }, [path, joined]);
  return line;
}
