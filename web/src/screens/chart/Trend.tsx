import { NO_BANNER } from "../../theme/theme";
import { Modal, useComputedColorScheme } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { lazy, Suspense, type ReactNode } from "react";
import { testName } from "../../fhir/codes";
import { formatDateTime, toTime } from "../../fhir/dates";
import { linesOf, rangesText, whenOf, type Line, type Series } from "../../fhir/observations";
import { useLanguage } from "../../i18n";
import { Loading } from "../../parts/Panel";
import { Source } from "../../parts/Source";
import { Tag } from "../../parts/Tags";
import { ObservationText, RangeText } from "../../parts/Value";

const TrendPlot = lazy(() => import("./TrendPlot"));

/** Lines that may share one axis: those of one unit. */
export function byUnit(lines: Line[]): Line[][] {
  const units = new Map<string, Line[]>();
  for (const line of lines) units.set(line.unit ?? "", [...(units.get(line.unit ?? "") ?? []), line]);
  return [...units.values()];
}

interface Opened {
  series: Series | undefined;
  patient: string;
  cut?: number; // so many results were loaded, and there are more
  close: () => void;
}

/** One test over time: the chart, and every value in a table with its source. */
export function Trend({ series, patient, cut, close }: Opened): ReactNode {
  const { language, t } = useLanguage();
  const phone = useMediaQuery("(max-width: 48em)");
  const dark = useComputedColorScheme("light") === "dark";
  const name = testName(series?.code, language) ?? t("unknown.what");
  return (
    <Modal
      opened={Boolean(series)} onClose={close} title={<strong>{name}</strong>} size="xl" fullScreen={phone}
      attributes={NO_BANNER} closeButtonProps={{ "aria-label": t("trend.close") }}
    >
      {series && cut !== undefined && <p>{t("state.shownOfMore", { shown: cut })}</p>}
      {series && <TrendBody series={series} patient={patient} name={name} dark={dark} />}
    </Modal>
  );
}

function TrendBody({ series, patient, name, dark }: { series: Series; patient: string; name: string; dark: boolean }): ReactNode {
  const { language, t } = useLanguage();
  const groups = byUnit(linesOf(series));
  const units = groups.map((lines) => lines[0]?.unit ?? t("unknown.unit"));
  const drawable = groups.filter((lines) => lines.some((line) => line.points.length > 1));
  const undated = series.points.filter((one) => toTime(whenOf(one)) === undefined).length;
  const latest = series.points[0];
  const range = latest && rangesText(latest);
  const samePlot = new Set(units).size > 1 && !series.points.some((one) => one.component?.length);
  return (
    <>
      {samePlot && <p>{t("trend.units", { units: units.join(t("listComma")) })}</p>}
      {!drawable.length && <p className="quiet">{t(groups.length ? "trend.onePoint" : "trend.noNumbers")}</p>}
      {drawable.map((lines) => (
        <figure key={lines[0]?.unit ?? ""} style={{ margin: "0 0 0.5rem" }}>
          <div role="img" aria-label={t("trend.chartOf", { what: name })}>
            <Suspense fallback={<Loading lines={6} />}>
              <TrendPlot lines={lines} name={name} dateLabel={t("results.date")} language={language} dark={dark} />
            </Suspense>
          </div>
        </figure>
      ))}
      {drawable.length > 0 && (
        <p className="quiet small">
          {range && `${t("trend.band", { range })} `}
          {t("trend.drag")}
        </p>
      )}
      {undated > 0 && <p className="quiet small">{t("trend.undated", { count: undated })}</p>}
      <h3>{t("trend.asTable")}</h3>
      <table className="grid">
        <thead>
          <tr>
            <th scope="col">{t("results.date")}</th>
            <th scope="col">{t("results.value")}</th>
            <th scope="col">{t("results.range")}</th>
            <th scope="col">{t("chart.source")}</th>
          </tr>
        </thead>
        <tbody>
          {series.points.map((one, at) => (
            <tr key={one.id ?? at}>
              <td className="num nowrap">{formatDateTime(whenOf(one), language) ?? t("unknown.date")}</td>
              <td>
                <ObservationText observation={one} />{" "}
                {one.status && one.status !== "final" && <Tag>{t(`observationStatus.${one.status}`)}</Tag>}
              </td>
              <td className="num"><RangeText of={one} /></td>
              <td>
                <Source of={one} patient={patient} what={name} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
