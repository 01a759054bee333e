import { VisuallyHidden } from "@mantine/core";
import type { ReactNode } from "react";
import { formatValue, flagOf, type Flag, type Shown } from "../fhir/values";
import { bloodPressure, rangesText, valuesOf } from "../fhir/observations";
import { testName } from "../fhir/codes";
import type { Observation, ObservationValue } from "../fhir/types";
import { useLanguage } from "../i18n";

const MARK: Record<string, string> = { "critical-high": "⇈", "critical-low": "⇊", high: "↑", low: "↓" };

/** High, low or abnormal, in words and by an arrow, never by colour alone. Normal is not marked. */
export function FlagTag({ flag }: { flag: Flag | undefined }): ReactNode {
  const { t } = useLanguage();
  if (!flag || flag.level === "normal") return null;
  const kind = flag.level.includes("low") ? "low" : "high";
  return (
    <span className="tag" data-kind={kind} title={flag.from === "range" ? t("flag.fromRange") : undefined}>
      {MARK[flag.level] ? `${MARK[flag.level]} ` : ""}
      {t(`flag.${flag.level}`)}
    </span>
  );
}

/** A value with its unit; what is missing is said. */
export function ShownValue({ shown }: { shown: Shown }): ReactNode {
  const { t } = useLanguage();
  if (shown.missing) return <span className="quiet">{shown.missing.reason ?? t("unknown.value")}</span>;
  return (
    <span className="num wrap" dir="auto" title={shown.recorded && t("trend.recordedAs", { text: shown.recorded })}>
      <strong>{shown.text}</strong>
      {shown.unit && <span className="quiet"> {shown.unit}</span>}
      {shown.unitMissing && <span className="quiet small"> ({t("unknown.unit")})</span>}
    </span>
  );
}

function useShow(): (value: ObservationValue) => Shown {
  const { language, t } = useLanguage();
  return (value) => formatValue(value, language, [t("yes"), t("no")]);
}

/** All that one observation says: one value, a blood pressure as 120/80, or each component by name. */
export function ObservationText({ observation }: { observation: Observation }): ReactNode {
  const { language, t } = useLanguage();
  const show = useShow();
  const pressure = bloodPressure(observation);
  if (pressure) {
    const [upper, lower] = [show(pressure.systolic ?? {}), show(pressure.diastolic ?? {})];
    const unit = upper.unit ?? lower.unit;
    const same = !upper.unit || !lower.unit || upper.unit === lower.unit;
    const flags = [pressure.systolic, pressure.diastolic].map((one) => one && flagOf(one));
    if (same)
      return (
        <span className="num">
          <ShownValue shown={{ text: `${upper.text ?? "–"}/${lower.text ?? "–"}`, unit, unitMissing: !unit }} />{" "}
          <FlagTag flag={flags.find((one) => one && one.level !== "normal")} />
        </span>
      );
  }
  const values = valuesOf(observation);
  return (
    <>
      {values.map(({ code, value }, at) => (
        <span key={at} style={{ display: code ? "block" : undefined }}>
          {code && <span className="quiet">{testName(code, language) ?? t("unknown.what")}: </span>}
          <ShownValue shown={show(value)} /> <FlagTag flag={flagOf(value)} />
        </span>
      ))}
    </>
  );
}

/** The reference range, or a dash that says, to whoever asks or listens, that none was given. */
export function RangeText({ of }: { of: Observation }): ReactNode {
  const { t } = useLanguage();
  const range = rangesText(of);
  if (range) return range;
  return (
    <span className="quiet" title={t("unknown.range")}>
      <span aria-hidden="true">–</span>
      <VisuallyHidden>{t("unknown.range")}</VisuallyHidden>
    </span>
  );
}
