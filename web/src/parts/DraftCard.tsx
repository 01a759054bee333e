import { Button, Select, TextInput } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useId, useState, type FormEvent, type ReactNode } from "react";
import { formatDateTime } from "../fhir/dates";
import type { Observation, Resource } from "../fhir/types";
import { useLanguage } from "../i18n";
import styles from "./DraftCard.module.css";
import { editable, inputTitle, titleOf, useDecide, useReasons, type Decision, type Draft } from "./DraftQueries";
import { Failure, Folded } from "./Panel";
import { localReference, SourceLink } from "./SourceLink";
import { Tag } from "./Tags";
import { ObservationText } from "./Value";

type Said = (text: string) => void;

/** One machine proposal beside what it would replace, with its reason, and the clinician's three answers. */
export function DraftCard({ draft, named, level, said }: { draft: Draft; named: boolean; level: 2 | 3; said: Said }): ReactNode {
  const { language, t } = useLanguage();
  const heading = useId();
  const Heading = level === 2 ? "h2" : "h3";
  const patient = draft.patient?.id ?? "-";
  const bypassed = draft.state === "bypassed";
  const kind = t(draft.corrects ? "drafts.correction" : draft.changed ? "drafts.result" : "drafts.proposal");
  return (
    <article className={styles.card} data-changed={draft.changed} aria-labelledby={heading}>
      <div className={styles.head}>
        <Heading id={heading} className={styles.title} dir="auto">{titleOf(draft, language)}</Heading>
        <Tag kind={draft.changed || bypassed ? "warn" : "draft"}>{draft.changed ? t("drafts.changed") : bypassed ? t("drafts.bypassed") : kind}</Tag>
        {named && draft.patient && (
          <Link to="/patients/$patientId" params={{ patientId: draft.patient.id }}><bdi>{draft.patient.name || t("unknown.name")}</bdi></Link>
        )}
        <span className="quiet small num">{formatDateTime(draft.proposed, language)}</span>
      </div>
      <Compared draft={draft} />
      <p className={styles.reason} dir="auto">{draft.reason || t("drafts.noReason")}</p>
      <p className={styles.from}>
        {t("drafts.from")}{" "}
        {draft.inputs.map((input, at) => (
          <span key={input.reference}>
            {at > 0 && t("listComma")}
            <InputLink reference={input.reference} patient={patient}>{[inputTitle(input, language), input.value].filter(Boolean).join(" ")}</InputLink>
            {draft.changed && input.now !== input.value && <strong> {input.now === null ? t("drafts.gone") : t("drafts.nowIs", { value: input.now || t("unknown.value") })}</strong>}
          </span>
        ))}
        {" · "}
        {t("drafts.by", { model: draft.model.name, version: draft.model.version })}
        {draft.confidence !== null && <> · {t("drafts.confidence", { value: String(draft.confidence) })}</>}
      </p>
      <Actions draft={draft} said={said} />
    </article>
  );
}

function InputLink({ reference, patient, children }: { reference: string; patient: string; children: ReactNode }): ReactNode {
  const local = localReference(reference);
  return local ? <SourceLink patient={patient} {...local}>{children}</SourceLink> : children;
}

/** What is now, and what would be. All other elements that would change stand below, folded. */
function Compared({ draft }: { draft: Draft }): ReactNode {
  const { t } = useLanguage();
  const after = draft.content;
  const shown = after.resourceType !== "DetectedIssue"; // all that it says is the reason, below
  const text = (value: unknown): string => (value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));
  return (
    <>
      {shown && <div className={draft.before ? styles.compare : `${styles.compare} ${styles.single}`}>
        {draft.before && (
          <>
            <div><span className={styles.label}>{t("drafts.now")}</span><Value of={draft.before} /></div>
            <span className={styles.arrow} aria-hidden="true">→</span>
          </>
        )}
        <div data-side="after"><span className={styles.label}>{t(draft.changed ? "drafts.accepted" : "drafts.proposed")}</span><Value of={after} /></div>
      </div>}
      {draft.changes.length > 0 && (
        <Folded label={t("drafts.allChanges", { count: draft.changes.length })}>
          <table className={styles.changes}>
            <tbody>
              {draft.changes.map((one) => (
                <tr key={one.path}>
                  <th scope="row">{one.path}</th>
                  <td className="num" dir="auto"><del>{text(one.before)}</del> → <ins>{text(one.after)}</ins></td>
                </tr>
              ))}
            </tbody>
          </table>
        </Folded>
      )}
    </>
  );
}

function Value({ of }: { of: Resource }): ReactNode {
  const { t } = useLanguage();
  if (of.resourceType === "Observation") return <ObservationText observation={of as Observation} />;
  const about = of as Resource & { detail?: string; conclusion?: string; prediction?: { outcome?: { text?: string }; probabilityDecimal?: unknown }[] };
  const words = [about.detail, about.conclusion, ...(about.prediction ?? []).map((one) => [one.outcome?.text, one.probabilityDecimal].filter((x) => x !== undefined).join(": "))].filter(Boolean);
  return words.length ? <span dir="auto">{words.join(" · ")}</span> : <span className="quiet">{t(`drafts.type.${of.resourceType}`, { defaultValue: of.resourceType })}</span>;
}

function Actions({ draft, said }: { draft: Draft; said: Said }): ReactNode {
  const { language, t } = useLanguage();
  const [open, setOpen] = useState<"amend" | "reject">();
  const decide = useDecide(draft, (decision) => {
    const what = !draft.changed ? decision.what : decision.what === "accept" ? "confirm" : "withdraw";
    said(t(`drafts.done.${what}`, { what: titleOf(draft, language) }));
  });
  const send = (decision: Decision): void => decide.mutate(decision);
  const fields = draft.changed ? [] : editable(draft);
  const close = (): void => setOpen(undefined);
  return (
    <>
      {decide.isError && <Failure error={decide.error} />}
      <div className={styles.actions}>
        <Button size="compact-md" loading={decide.isPending && decide.variables.what === "accept"} onClick={() => send({ what: "accept" })}>
          {t(draft.changed ? "drafts.confirm" : "drafts.accept")}
        </Button>
        {fields.length > 0 && (
          <Button size="compact-md" variant="default" aria-expanded={open === "amend"} onClick={() => setOpen(open === "amend" ? undefined : "amend")}>{t("drafts.amend")}</Button>
        )}
        {!(draft.changed && draft.corrects) && (
          <Button size="compact-md" variant="default" aria-expanded={open === "reject"} onClick={() => setOpen(open === "reject" ? undefined : "reject")}>
            {t(draft.changed ? "drafts.withdraw" : "drafts.reject")}
          </Button>
        )}
      </div>
      {open === "amend" && <Amend fields={fields} busy={decide.isPending} send={send} close={close} />}
      {open === "reject" && <Reject busy={decide.isPending} send={send} close={close} />}
    </>
  );
}

interface Form {
  busy: boolean;
  send: (decision: Decision) => void;
  close: () => void;
}

function onEscape(close: () => void): (event: { key: string }) => void {
  return (event) => {
    if (event.key === "Escape") close();
  };
}

function Amend({ fields, busy, send, close }: Form & { fields: [string, string][] }): ReactNode {
  const { t } = useLanguage();
  const [typed, setTyped] = useState<Record<string, string>>({});
  const values = fields.flatMap(([path, was]): [string, string][] => {
    const now = typed[path]?.trim() ?? was;
    return now !== was ? [[path, now]] : [];
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (values.length) send({ what: "amend", values });
  };
  return (
    <form className={styles.form} onSubmit={submit} onKeyDown={onEscape(close)}>
      {fields.map(([path, was], at) => (
        <TextInput
          key={path} size="sm" autoFocus={at === 0} label={t(`drafts.field.${path.split(".").pop()}`, { defaultValue: path })} title={path}
          value={typed[path] ?? was} onChange={(event) => setTyped({ ...typed, [path]: event.currentTarget.value })}
        />
      ))}
      <span className={styles.end}>
        <Button type="submit" size="sm" loading={busy} disabled={!values.length}>{t("drafts.acceptAmended")}</Button>
        <Button size="sm" variant="default" onClick={close}>{t("drafts.cancel")}</Button>
      </span>
    </form>
  );
}

function Reject({ busy, send, close }: Form): ReactNode {
  const { language, t } = useLanguage();
  const reasons = useReasons(language, true);
  const [code, setCode] = useState<string | null>(null);
  const [text, setText] = useState("");
  const ready = code !== null && (code !== "other" || text.trim() !== "");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (ready) send({ what: "reject", code, text });
  };
  return (
    <form className={styles.form} onSubmit={submit} onKeyDown={onEscape(close)}>
      {reasons.isError && <Failure error={reasons.error} retry={() => void reasons.refetch()} />}
      <Select
        size="sm" autoFocus label={t("drafts.why")} placeholder={t("drafts.choose")} allowDeselect={false} value={code} onChange={setCode}
        data={(reasons.data ?? []).map((one) => ({ value: one.code, label: one.text }))}
      />
      <TextInput className={styles.wide} size="sm" label={t(code === "other" ? "drafts.wordsNeeded" : "drafts.words")} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <span className={styles.end}>
        <Button type="submit" size="sm" loading={busy} disabled={!ready}>{t("drafts.rejectNow")}</Button>
        <Button size="sm" variant="default" onClick={close}>{t("drafts.cancel")}</Button>
      </span>
    </form>
  );
}
