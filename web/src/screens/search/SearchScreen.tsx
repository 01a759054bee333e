import { Button, CloseButton, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useLanguage } from "../../i18n";
import { Failure, Loading, Panel } from "../../parts/Panel";
import { FirstScreen } from "./FirstScreen";
import { PatientRow } from "./PatientRow";
import { FIRST, MOST, usePatientSearch, useRecent, WIDER } from "./queries";
import styles from "./SearchScreen.module.css";

// What was typed is kept in this page's memory only, so that coming back from a chart finds it again; never in the
// address or in storage.
let kept = "";

const PAUSE_MS = 150;

export function SearchScreen(): ReactNode {
  const { t } = useLanguage();
  const [typed, setTyped] = useState(kept);
  const [asked] = useDebouncedValue(typed.trim(), PAUSE_MS);
  // On a phone the keyboard would cover the list before anything is asked.
  const hasKeyboard = window.matchMedia("(pointer: fine)").matches;
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const [wide, setWide] = useState({ of: "", count: FIRST }); // another question begins with a short list again
  const count = wide.of === asked ? wide.count : FIRST;
  const recent = useRecent(asked ? FIRST : count);
  const result = usePatientSearch(asked, count);
  const widen = (): void => setWide({ of: asked, count: Math.min(count * WIDER, MOST) });
  // While the list is not yet that of what was typed, no key may open the wrong patient from it.
  const busy = typed.trim() !== asked || (asked !== "" && result.pending);
  useEffect(() => {
    document.title = `${t("search.title")} · ${t("appName")}`;
  }, [t]);
  const change = (text: string): void => {
    kept = text;
    setTyped(text);
  };
  const empty = recent.isSuccess && recent.data.matches.length === 0 && !asked;
  if (empty) return <FirstScreen again={() => void recent.refetch()} looking={recent.isFetching} />;
  return (
    <div className={styles.screen}>
      <h1 className={styles.title}>{t("search.title")}</h1>
      <TextInput
        ref={field} size="md" type="text" role="searchbox" aria-label={t("search.label")} placeholder={t("search.placeholder")} description={t("search.hint")}
        inputWrapperOrder={["label", "input", "description", "error"]} value={typed} autoFocus={hasKeyboard} autoComplete="off" autoCorrect="off" spellCheck={false} name="find"
        onChange={(event) => change(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") change("");
          if (event.key !== "ArrowDown" && event.key !== "Enter") return;
          event.preventDefault();
          if (!busy) list.current?.querySelector("a")?.[event.key === "Enter" ? "click" : "focus"]();
        }}
        rightSection={typed ? <CloseButton aria-label={t("search.clear")} onClick={() => { change(""); field.current?.focus(); }} /> : undefined}
      />
      <ul
        className={styles.list} ref={list} aria-busy={busy}
        onKeyDown={(event) => {
          const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
          if (!step) return;
          const links = [...(list.current?.querySelectorAll("a") ?? [])];
          const at = links.indexOf(document.activeElement as HTMLAnchorElement) + step;
          event.preventDefault();
          if (at < 0) field.current?.focus();
          else links[at]?.focus();
        }}
      >
        {asked ? <Found typed={asked} result={result} /> : <Recent recent={recent} />}
      </ul>
      {(asked ? result.more && !result.pending : Boolean(recent.data?.next)) && (count < MOST
        ? <Button variant="default" loading={asked ? result.widening : recent.isPlaceholderData} onClick={widen}>{t("search.more")}</Button>
        : <p className="quiet">{t("search.tooMany", { most: MOST })}</p>)}
    </div>
  );
}

function Found({ typed, result }: { typed: string; result: ReturnType<typeof usePatientSearch> }): ReactNode {
  const { t } = useLanguage();
  const { found, pending, errors, answered } = result;
  const words = pending ? t("search.searching")
    : found.length === 0 ? (errors.length ? "" : t("search.none", { typed }))
    : result.more ? t("search.resultsMore", { count: found.length }) : t("search.results", { count: found.length });
  return (
    <>
      <li className={styles.count} role="status">{words}</li>
      {errors.length > 0 && (
        <li>
          {answered && <p>{t("search.partFailed")}</p>}
          <Failure error={errors[0]} retry={result.retry} />
        </li>
      )}
      {result.warnings.map((text) => <li key={text} className="quiet small">{t("state.warning", { text })}</li>)}
      {found.map((one) => (
        <li key={one.patient.id}><PatientRow patient={one.patient} by={one.by} /></li>
      ))}
      {!pending && !found.length && !errors.length && <li className="quiet">{t("search.noneHelp")}</li>}
    </>
  );
}

function Recent({ recent }: { recent: ReturnType<typeof useRecent> }): ReactNode {
  const { t } = useLanguage();
  if (recent.isPending) return <li><Panel title={t("search.recent")}><Loading lines={5} /></Panel></li>;
  if (recent.isError) return <li><Panel title={t("search.recent")}><Failure error={recent.error} retry={() => void recent.refetch()} /></Panel></li>;
  return (
    <>
      <li className={styles.count}><h2>{t("search.recent")}</h2></li>
      {recent.data.matches.map((patient) => (
        <li key={patient.id}><PatientRow patient={patient} /></li>
      ))}
    </>
  );
}
