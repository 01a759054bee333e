import { Button, CopyButton, SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useState, type ReactNode } from "react";
import { requestText } from "../../fhir/client";
import { formatDate, formatDateTime } from "../../fhir/dates";
import { parseKeepingDecimals } from "../../fhir/decimals";
import type { Resource } from "../../fhir/types";
import { useLanguage } from "../../i18n";
import { Failure, Loading, Panel } from "../../parts/Panel";
import { localReference, SourceLink } from "../../parts/SourceLink";
import { Tag } from "../../parts/Tags";
import { asParameters, pastOf } from "../chart/past";
import { indented, linesOf, type SourceLine } from "./lines";
import styles from "./SourceScreen.module.css";

const MOST_LINES = 2000;

/** One resource as the record keeps it, laid out for reading or as JSON. */
export function SourceScreen(): ReactNode {
  const { patientId, type, id } = useParams({ from: "/patients/$patientId/source/$type/$id" });
  const { language, t } = useLanguage();
  const past = pastOf(useSearch({ from: "/patients/$patientId/source/$type/$id" }));
  const query = useQuery({
    queryKey: ["source", type, id, past],
    queryFn: ({ signal }) => requestText(`${encodeURIComponent(type)}/${encodeURIComponent(id)}${past ? `?${new URLSearchParams(asParameters(past))}` : ""}`, signal),
  });
  useEffect(() => {
    document.title = `${t("source.title", { type })} · ${t("appName")}`;
  }, [t, type]);
  return (
    <>
      <p className="no-print" style={{ margin: "0 0 0.7rem" }}>
        <Link to="/patients/$patientId" params={{ patientId }} search={true}>← {t("source.toChart")}</Link>
      </p>
      {past && <p className="small"><Tag kind="warn">{t(`past.${past.by}Banner`, { date: formatDate(past.day, language) })}</Tag></p>}
      {query.isPending ? (
        <Panel whole title={t("source.title", { type })}><Loading lines={8} /></Panel>
      ) : query.isError ? (
        <Panel whole title={t("source.title", { type })}><Failure error={query.error} retry={() => void query.refetch()} /></Panel>
      ) : (
        <SourceOf body={query.data} type={type} patient={patientId} />
      )}
    </>
  );
}

function SourceOf({ body, type, patient }: { body: string; type: string; patient: string }): ReactNode {
  const { language, t } = useLanguage();
  const [view, setView] = useState("readable");
  const resource = parseKeepingDecimals<Resource>(body);
  const facts = [
    `${type}/${resource.id ?? ""}`,
    resource.meta?.versionId && t("source.version", { version: resource.meta.versionId }),
    resource.meta?.lastUpdated && t("source.updated", { date: formatDateTime(resource.meta.lastUpdated, language) }),
  ].filter(Boolean);
  const json = indented(body);
  return (
    <Panel whole title={t("source.title", { type })}>
      <p className="quiet small wrap" style={{ marginTop: 0 }}>{t("source.explain")} {facts.join(" · ")}</p>
      <div className={`${styles.bar} no-print`}>
        <SegmentedControl
          size="xs" value={view} onChange={setView} aria-label={t("chart.source")}
          data={[{ value: "readable", label: t("source.readable") }, { value: "json", label: t("source.json") }]}
        />
        <CopyButton value={json}>
          {({ copied, copy }) => (
            <Button size="compact-sm" variant="default" onClick={copy}>{t(copied ? "source.copied" : "source.copy")}</Button>
          )}
        </CopyButton>
      </div>
      {view === "json" ? <pre className={styles.json} tabIndex={0}>{json}</pre> : <Lines resource={resource} patient={patient} />}
    </Panel>
  );
}

function Lines({ resource, patient }: { resource: Resource; patient: string }): ReactNode {
  const { t } = useLanguage();
  const { lines, cut } = linesOf(resource, MOST_LINES);
  return (
    <>
      <table className={styles.lines}>
        <tbody>
          {lines.map((line, at) => (
            <tr key={at} data-group={line.kind === "group"}>
              <th scope="row" style={{ paddingInlineStart: `${line.depth * 1.1}rem` }}>{line.label}</th>
              <td dir="auto"><LineValue line={line} patient={patient} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {cut && <p className="quiet small">{t("source.tooMuch", { count: MOST_LINES })}</p>}
    </>
  );
}

function LineValue({ line, patient }: { line: SourceLine; patient: string }): ReactNode {
  if (line.kind === "reference") {
    const local = localReference(line.value);
    if (local) return <SourceLink patient={patient} {...local}>{line.value}</SourceLink>;
  }
  return line.value;
}
