import { Button, Skeleton } from "@mantine/core";
import { useId, useState, type ReactNode } from "react";
import { FhirError } from "../fhir/client";
import { useLanguage } from "../i18n";

interface PanelParts {
  title: string;
  aside?: ReactNode; // at the heading's side
  id?: string;
  whole?: boolean; // the panel is the whole screen: its heading is the page's
  children: ReactNode;
}

/** A part of a screen with a heading. */
export function Panel({ title, aside, id, whole, children }: PanelParts): ReactNode {
  const heading = useId();
  const Heading = whole ? "h1" : "h2";
  return (
    <section className="panel" aria-labelledby={heading} id={id}>
      <header>
        <Heading id={heading}>{title}</Heading>
        {aside}
      </header>
      {children}
    </section>
  );
}

export function Loading({ lines = 3 }: { lines?: number }): ReactNode {
  const { t } = useLanguage();
  return (
    <div role="status" aria-label={t("state.loading")}>
      {Array.from({ length: lines }, (_, at) => (
        <Skeleton key={at} height={14} mt={at ? 10 : 4} width={`${92 - ((at * 17) % 40)}%`} />
      ))}
    </div>
  );
}

/** What went wrong, in words, with what the server said of it and the way to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }): ReactNode {
  const { t } = useLanguage();
  const fhir = error instanceof FhirError ? error : undefined;
  const words = { gone: "state.gone", missing: "state.missing", refused: "state.refused", failed: "state.failed" };
  return (
    <div role="alert">
      <p style={{ margin: "0 0 0.4rem" }}>{t(words[fhir?.kind ?? "failed"])}</p>
      {fhir?.said && <p className="quiet small wrap" style={{ margin: "0 0 0.4rem" }}>{t("state.serverSaid", { text: fhir.said })}</p>}
      {retry && (
        <Button size="compact-sm" variant="default" onClick={retry}>
          {t("state.retry")}
        </Button>
      )}
    </div>
  );
}

/** A list of which the first few are shown; the rest by one press, its number stated. */
export function Rows<T>({
  items, first, row, keyOf,
}: {
  items: T[];
  first: number;
  row: (item: T) => ReactNode;
  keyOf: (item: T, at: number) => string;
}): ReactNode {
  const { t } = useLanguage();
  const [all, setAll] = useState(false);
  const hidden = items.length - first;
  // One hidden line would take as much room as the words that hide it.
  const shown = all || hidden <= 1 ? items : items.slice(0, first);
  return (
    <>
      <ul className="rows">
        {shown.map((item, at) => (
          <li key={keyOf(item, at)}>{row(item)}</li>
        ))}
      </ul>
      {hidden > 1 && (
        <button type="button" className="linkish small no-print" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? t("state.showFewer") : t("state.showAll", { count: hidden })}
        </button>
      )}
    </>
  );
}

/** Something kept out of the way until asked for, its number stated. */
export function Folded({ label, children }: { label: string; children: ReactNode }): ReactNode {
  const [open, setOpen] = useState(false);
  return (
    <div style={{ marginTop: "0.6rem" }}>
      <button type="button" className="linkish small" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "▾ " : "▸ "}
        {label}
      </button>
      {open && <div style={{ marginTop: "0.4rem" }}>{children}</div>}
    </div>
  );
}
