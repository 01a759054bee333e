import { Button } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, type ReactNode } from "react";
import { FhirError } from "../../fhir/client";
import type { Line } from "../../fhir/events";
import { useLanguage } from "../../i18n";
import { clockTime } from "../../parts/clock";
import { PatientDrafts } from "../../parts/DraftList";
import { LineTag } from "../../parts/LineTag";
import { Failure, Loading, Panel } from "../../parts/Panel";
import { Allergies } from "./Allergies";
import { Banner } from "./Banner";
import styles from "./ChartScreen.module.css";
import { Documents } from "./Documents";
import { Medicines } from "./Medicines";
import { PastContext, pastOf, type Past } from "./past";
import { Problems } from "./Problems";
import { useChart, usePatient, type Chart } from "./queries";
import { Results } from "./Results";
import { Encounters, Immunizations, Procedures } from "./ShortLists";
import { PastBanner, TimeMachine } from "./TimeMachine";
import timeStyles from "./TimeMachine.module.css";
import { useRefresh } from "./useRefresh";

const SECTIONS = ["problems", "allergies", "medicines", "vitals", "results", "documents", "encounters", "procedures", "immunizations", "assessments"];

/** One patient on one page. */
export function ChartScreen(): ReactNode {
  const { patientId } = useParams({ from: "/patients/$patientId" });
  // Keyed by patient: nothing opened, typed or unfolded for one is carried over to another.
  return <ChartOf key={patientId} id={patientId} />;
}

function ChartOf({ id }: { id: string }): ReactNode {
  const { t } = useLanguage();
  const navigate = useNavigate();
  const past = pastOf(useSearch({ from: "/patients/$patientId" }));
  const go = useCallback((to: Past | undefined): void => {
    void navigate({ to: "/patients/$patientId", params: { patientId: id }, search: to ? { [to.by]: to.day } : {}, resetScroll: false });
  }, [navigate, id]);
  const back = useCallback(() => go(undefined), [go]);
  const patient = usePatient(id, past);
  const chart = useChart(id, past);
  const { line, refreshed } = useRefresh(id, !past);
  useEffect(() => {
    // The tab says which patient only by the page's own words; browsers keep titles in their history.
    document.title = `${t("chart.title")} · ${t("appName")}`;
  }, [t]);
  if (patient.isError && patient.error instanceof FhirError && patient.error.kind === "missing")
    return (
      <Panel whole title={t("chart.title")}>
        <p>{t(past ? "past.notThen" : "chart.notFound")}</p>
        {past?.by === "known" && (
          <>
            <p className="quiet">{t("past.notThenKnown")}</p>
            <Button mr="sm" mb="sm" onClick={() => go({ by: "valid", day: past.day })}>{t("past.asValid")}</Button>
          </>
        )}
        {past ? <Button variant="default" onClick={back}>{t("past.back")}</Button> : <Link to="/">{t("banner.allPatients")}</Link>}
      </Panel>
    );
  return (
    <PastContext.Provider value={past}>
      {past && <PastBanner past={past} back={back} />}
      <div className={timeStyles.chart} data-past={Boolean(past)}>
      {patient.isPending ? (
        <Panel whole title={t("chart.title")}><Loading lines={2} /></Panel>
      ) : patient.isError ? (
        <Panel whole title={t("chart.title")}><Failure error={patient.error} retry={() => void patient.refetch()} /></Panel>
      ) : (
        <Banner patient={patient.data} allergies={chart.allergies} />
      )}
      <div className={styles.head}>
      <nav className={`${styles.jump} no-print`} aria-label={t("banner.jump")}>
        {SECTIONS.map((section) => (
          <button key={section} type="button" className="linkish small" onClick={() => document.getElementById(section)?.scrollIntoView({ block: "start" })}>
            {t(`${section}.title`)}
          </button>
        ))}
      </nav>
        {!past && <LiveTag line={line} refreshed={refreshed} />}
        <TimeMachine past={past} go={go} />
      </div>
      {!past && <PatientDrafts patient={id} />}
      <Parts chart={chart} id={id} />
      </div>
    </PastContext.Provider>
  );
}

/** That the chart keeps itself as the record is, and when it last did. */
function LiveTag({ line, refreshed }: { line: Line; refreshed: Date | undefined }): ReactNode {
  const { language, t } = useLanguage();
  if (line !== "open" || !refreshed) return <LineTag line={line} />;
  return <span className="line no-print" data-line="open" role="status"><span aria-hidden="true">●</span> {t("chart.refreshed", { time: clockTime(refreshed.toISOString(), refreshed, language) })}</span>;
}

/** Two columns where there is room: what holds true of the patient beside what was measured and written. */
function Parts({ chart, id }: { chart: Chart; id: string }): ReactNode {
  const wide = useMediaQuery("(min-width: 62em)", window.matchMedia("(min-width: 62em)").matches);
  const standing = (
    <>
      <Problems pages={chart.problems} patient={id} />
      <Allergies pages={chart.allergies} patient={id} />
      <Medicines requests={chart.requests} statements={chart.statements} patient={id} />
    </>
  );
  const measured = (
    <>
      <Results pages={chart.observations} patient={id} group="vitals" />
      <Results pages={chart.observations} patient={id} group="results" />
      <Documents documents={chart.documents} compositions={chart.compositions} reports={chart.reports} observations={chart.observations} patient={id} />
    </>
  );
  const happened = (
    <>
      <Encounters pages={chart.encounters} patient={id} />
      <Procedures pages={chart.procedures} patient={id} />
      <Immunizations pages={chart.immunizations} patient={id} />
    </>
  );
  const assessed = <Results pages={chart.observations} patient={id} group="assessments" />;
  if (!wide)
    return (
      <div className={styles.column}>
        <div className={styles.pair}>{standing}</div>
        {measured}
        <div className={styles.pair}>{happened}</div>
        {assessed}
      </div>
    );
  return (
    <div className={styles.columns}>
      <div className={styles.column}>{standing}{happened}</div>
      <div className={styles.column}>{measured}{assessed}</div>
    </div>
  );
}
