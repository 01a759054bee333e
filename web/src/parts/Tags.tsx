import type { ReactNode } from "react";
import { isMachineMade } from "../fhir/codes";
import { formatDate } from "../fhir/dates";
import type { Resource } from "../fhir/types";
import { useLanguage } from "../i18n";

/** A short label; its kind gives the colour, its words the meaning. */
export function Tag({ kind, children }: { kind?: "high" | "low" | "warn" | "draft"; children: ReactNode }): ReactNode {
  return (
    <span className="tag" data-kind={kind}>
      {children}
    </span>
  );
}

/** Says so where a machine asserted something that no person has accepted yet. */
export function DraftTag({ of }: { of: Resource }): ReactNode {
  const { t } = useLanguage();
  return isMachineMade(of) ? <Tag kind="draft">{t("chart.draft")}</Tag> : null;
}

/** A recorded date in the reader's form, or that there is none. */
export function When({ date }: { date: string | undefined }): ReactNode {
  const { language, t } = useLanguage();
  return date ? (
    <time className="num nowrap" title={date}>
      {formatDate(date, language)}
    </time>
  ) : (
    <span className="quiet">{t("unknown.date")}</span>
  );
}
