import { Button, SegmentedControl } from "@mantine/core";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { formatDate } from "../../fhir/dates";
import { useLanguage } from "../../i18n";
import type { Past } from "./past";
import styles from "./TimeMachine.module.css";

function today(): string {
  const now = new Date();
  return `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, "0")}-${String(now.getDate()).padStart(2, "0")}`;
}

/** The way into the past of this chart, and out of it. */
export function TimeMachine({ past, go }: { past: Past | undefined; go: (past: Past | undefined) => void }): ReactNode {
  const { t } = useLanguage();
  const [open, setOpen] = useState(false);
  const [day, setDay] = useState(past?.day ?? "");
  const [by, setBy] = useState<Past["by"]>(past?.by ?? "known");
  const field = useRef<HTMLInputElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (open) field.current?.focus();
  }, [open]);
  const close = (): void => {
    setOpen(false);
    opener.current?.focus();
  };
  const ready = Boolean(day) && day <= today();
  return (
    <>
      <button
        ref={opener} type="button" className="linkish small no-print" aria-expanded={open} aria-controls="time-machine"
        onClick={() => {
          setDay(past?.day ?? day);
          setBy(past?.by ?? by);
          setOpen(!open);
        }}
      >
        {t("past.open")}
      </button>
      {open && (
        <form
          id="time-machine" className={`${styles.form} no-print`} aria-label={t("past.open")}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            event.stopPropagation();
            close();
          }}
          onSubmit={(event) => {
            event.preventDefault();
            if (!ready) return;
            go({ by, day });
            close();
          }}
        >
          <label className={styles.day}>
            <span>{t("past.day")}</span>
            <input ref={field} type="date" value={day} max={today()} required onChange={(event) => setDay(event.currentTarget.value)} />
          </label>
          <SegmentedControl
            size="sm" aria-label={t("past.how")} value={by} onChange={(value) => setBy(value === "valid" ? "valid" : "known")}
            data={[{ value: "known", label: t("past.known") }, { value: "valid", label: t("past.valid") }]}
          />
          <Button size="compact-md" type="submit" disabled={!ready}>{t("past.go")}</Button>
          <span className="small quiet">{t(`past.${by}Explained`)}</span>
        </form>
      )}
    </>
  );
}

/** Above a chart of the past, wherever one is in it: that it is one, of when, and the way back. Escape leads back too. */
export function PastBanner({ past, back }: { past: Past; back: () => void }): ReactNode {
  const { language, t } = useLanguage();
  useEffect(() => {
    const key = (event: KeyboardEvent): void => {
      // Escape closes what is open first: a dialog, a list, a field that is being typed in.
      if (event.key !== "Escape" || event.defaultPrevented) return;
      if (document.querySelector('[role="dialog"]') || (event.target as HTMLElement).closest?.("input, textarea, select, form")) return;
      back();
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, [back]);
  return (
    <div className={styles.banner} role="alert">
      <span aria-hidden="true" className={styles.clock}>⟲</span>
      <span className={styles.words}>
        <strong>{t(`past.${past.by}Banner`, { date: formatDate(past.day, language) })}</strong>{" "}
        <span>{t(`past.${past.by}Note`)}</span>
      </span>
      <Button size="compact-md" color="dark" variant="filled" className="no-print" onClick={back}>{t("past.back")}</Button>
    </div>
  );
}
