import { TextInput, useMantineTheme } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useMemo, useState, type ReactNode } from "react";
import { testName } from "../../fhir/codes";
import { linesOf, rangesText, seriesOf, whenOf, type Group, type Series } from "../../fhir/observations";
import type { Observation } from "../../fhir/types";
import type { Pages } from "../../fhir/usePages";
import { useLanguage } from "../../i18n";
import { PagesPanel } from "../../parts/PagesPanel";
import { Source } from "../../parts/Source";
import { DraftTag, Tag, When } from "../../parts/Tags";
import { ObservationText, RangeText } from "../../parts/Value";
import { Sparkline } from "./Sparkline";
import { Trend } from "./Trend";

const FIRST_ROWS: Record<Group, number> = { vitals: 10, results: 20, assessments: 6 };
const FILTER_FROM = 12;

/** Observations of one group, a row a test: the latest value, its range, the one before, the course. */
export function Results({ pages, patient, group }: { pages: Pages<Observation>; patient: string; group: Group }): ReactNode {
  const { language, t } = useLanguage();
  const { series, withdrawn } = useMemo(() => seriesOf(pages.items, group), [pages.items, group]);
  const [opened, setOpened] = useState<string>();
  const [typed, setTyped] = useState("");
  const [all, setAll] = useState(false);
  const narrow = useMediaQuery(`(max-width: ${useMantineTheme().breakpoints.sm})`);
  const named = series.filter((one) => (testName(one.code, language) ?? "").toLowerCase().includes(typed.trim().toLowerCase()));
  const first = narrow ? Math.ceil(FIRST_ROWS[group] / 2) : FIRST_ROWS[group];
  const hidden = named.length - first;
  const shown = all || typed || hidden <= 1 ? named : named.slice(0, first);
  const open = (one: Series) => () => setOpened(one.key);
  const hasRanges = series.some((one) => one.points.some((point) => rangesText(point)));
  const filter = series.length >= FILTER_FROM && (
    <TextInput
      size="xs" ml="auto" w={220} aria-label={t("results.filter")} placeholder={t("results.filter")} autoComplete="off"
      value={typed} onChange={(event) => setTyped(event.currentTarget.value)} className="no-print"
    />
  );
  return (
    <>
      <PagesPanel title={t(`${group}.title`)} id={group} pages={[pages]} empty={t(`${group}.empty`)} isEmpty={!series.length} aside={filter}>
        {() => (
          <>
            {typed && !named.length && <p className="quiet">{t("results.noneMatch")}</p>}
            {narrow ? (
              <ul className="rows">
                {shown.map((one) => (
                  <li key={one.key}><NarrowRow series={one} patient={patient} open={open(one)} /></li>
                ))}
              </ul>
            ) : (
              <table className="grid results">
                <colgroup>
                  <col />
                  <col className="value" />
                  {hasRanges && <col className="range" />}
                  <col className="date" />
                  <col className="value" />
                  <col className="course-col" />
                </colgroup>
                <thead>
                  <tr>
                    <th scope="col">{t("results.test")}</th>
                    <th scope="col">{t("results.latest")}</th>
                    {hasRanges && <th scope="col">{t("results.range")}</th>}
                    <th scope="col">{t("results.date")}</th>
                    <th scope="col">{t("results.previous")}</th>
                    <th scope="col">{t("results.trend")}</th>
                  </tr>
                </thead>
                <tbody>
                  {shown.map((one) => (
                    <WideRow key={one.key} series={one} patient={patient} ranges={hasRanges} open={open(one)} />
                  ))}
                </tbody>
              </table>
            )}
            {hidden > 1 && !typed && (
              <button type="button" className="linkish small no-print" aria-expanded={all} onClick={() => setAll(!all)}>
                {all ? t("state.showFewer") : t("state.showAll", { count: hidden })}
              </button>
            )}
            {withdrawn > 0 && <p className="small quiet" style={{ margin: "0.5rem 0 0" }}>{t("state.withdrawn", { count: withdrawn })}</p>}
          </>
        )}
      </PagesPanel>
      <Trend series={series.find((one) => one.key === opened)} patient={patient} cut={pages.more ? pages.items.length : undefined} close={() => setOpened(undefined)} />
    </>
  );
}

function Name({ series }: { series: Series }): ReactNode {
  const { language, t } = useLanguage();
  const latest = series.points[0]!;
  return (
    <>
      <span dir="auto" className="wrap">{testName(series.code, language) ?? t("unknown.what")}</span>{" "}
      {latest.status && latest.status !== "final" && <Tag>{t(`observationStatus.${latest.status}`)}</Tag>} <DraftTag of={latest} />
    </>
  );
}

function Course({ series, open }: { series: Series; open: () => void }): ReactNode {
  const { language, t } = useLanguage();
  const lines = useMemo(() => linesOf(series), [series]);
  const what = testName(series.code, language) ?? t("unknown.what");
  const values = t("results.count", { count: series.points.length });
  return (
    <button type="button" className="course" onClick={open} aria-label={t("results.openTrend", { what, values })}>
      <Sparkline lines={lines} />
      <span className="small num nowrap">{values}</span>
    </button>
  );
}

function WideRow({ series, patient, ranges, open }: { series: Series; patient: string; ranges: boolean; open: () => void }): ReactNode {
  const { language, t } = useLanguage();
  const [latest, previous] = series.points;
  const what = testName(series.code, language) ?? t("unknown.what");
  return (
    <tr>
      <th scope="row"><Name series={series} /></th>
      <td><ObservationText observation={latest!} /></td>
      {ranges && <td className="num"><RangeText of={latest!} /></td>}
      <td><Source of={latest!} patient={patient} what={what}><When date={whenOf(latest!)} /></Source></td>
      <td>
        {previous && (
          <>
            <ObservationText observation={previous} />
            <span style={{ display: "block" }}><Source of={previous} patient={patient} what={what}><When date={whenOf(previous)} /></Source></span>
          </>
        )}
      </td>
      <td><Course series={series} open={open} /></td>
    </tr>
  );
}

function NarrowRow({ series, patient, open }: { series: Series; patient: string; open: () => void }): ReactNode {
  const { language, t } = useLanguage();
  const latest = series.points[0]!;
  const range = rangesText(latest);
  return (
    <div className="row">
      <span className="grow">
        <span className="small quiet" style={{ display: "block" }}><Name series={series} /></span>
        <ObservationText observation={latest} />
        <span className="small quiet facts">
          <Source of={latest} patient={patient} what={testName(series.code, language) ?? t("unknown.what")}><When date={whenOf(latest)} /></Source>
          {range && <span className="num">{t("results.range")} {range}</span>}
        </span>
      </span>
      <Course series={series} open={open} />
    </div>
  );
}
