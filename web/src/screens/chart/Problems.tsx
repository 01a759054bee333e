import type { ReactNode } from "react";
import { codeOf, conceptText, hasCode, isEnteredInError } from "../../fhir/codes";
import { formatDate, toTime, type Language } from "../../fhir/dates";
import type { Condition } from "../../fhir/types";
import { formatQuantity } from "../../fhir/values";
import type { Pages } from "../../fhir/usePages";
import { useLanguage } from "../../i18n";
import { PagesPanel, Withdrawn } from "../../parts/PagesPanel";
import { Folded, Rows } from "../../parts/Panel";
import { Words } from "../../parts/Words";
import { Source } from "../../parts/Source";
import { DraftTag, Tag } from "../../parts/Tags";

const OVER = ["inactive", "remission", "resolved"];

export function isOver(condition: Condition): boolean {
  if (condition.clinicalStatus) return hasCode(condition.clinicalStatus, OVER);
  return Boolean(condition.abatementDateTime ?? condition.abatementPeriod?.end ?? condition.abatementString);
}

function startOf(condition: Condition): string | undefined {
  return condition.onsetDateTime ?? condition.onsetPeriod?.start ?? condition.recordedDate;
}

/** When it began and ended, as far as it was written down. */
export function courseOf(one: Condition, language: Language, t: (k: string, v?: Record<string, unknown>) => string): string {
  const parts: string[] = [];
  const began = formatDate(one.onsetDateTime ?? one.onsetPeriod?.start, language);
  const age = one.onsetAge && formatQuantity(one.onsetAge);
  if (began) parts.push(t("problems.since", { date: began }));
  else if (age?.text) parts.push(t("problems.sinceAge", { age: [age.text, age.unit].filter(Boolean).join(" ") }));
  else if (one.onsetString) parts.push(one.onsetString);
  else if (one.recordedDate) parts.push(t("problems.recorded", { date: formatDate(one.recordedDate, language) }));
  else parts.push(t("unknown.date"));
  const ended = formatDate(one.abatementDateTime ?? one.abatementPeriod?.end, language);
  if (ended) parts.push(t("problems.until", { date: ended }));
  else if (one.abatementString) parts.push(t("problems.ended", { text: one.abatementString }));
  return parts.join(t("listComma"));
}

function Problem({ one, patient }: { one: Condition; patient: string }): ReactNode {
  const { language, t } = useLanguage();
  const what = conceptText(one.code, language) ?? t("unknown.what");
  const status = codeOf(one.clinicalStatus);
  const sure = codeOf(one.verificationStatus);
  return (
    <div className="row">
      <span className="grow">
        <Words concept={one.code} shown={what} />{" "}
        {status && status !== "active" && <Tag>{t(`conditionStatus.${status}`)}</Tag>}{" "}
        {sure && sure !== "confirmed" && <Tag kind="warn">{t(`verification.${sure}`)}</Tag>}{" "}
        {one.severity && <span className="quiet small">{conceptText(one.severity, language)}</span>} <DraftTag of={one} />
        <span className="quiet small" style={{ display: "block" }}>{courseOf(one, language, t)}</span>
      </span>
      <Source of={one} patient={patient} what={what} />
    </div>
  );
}

export function Problems({ pages, patient }: { pages: Pages<Condition>; patient: string }): ReactNode {
  const { t } = useLanguage();
  const newest = (a: Condition, b: Condition): number => (toTime(startOf(b)) ?? 0) - (toTime(startOf(a)) ?? 0);
  const valid = pages.items.filter((one) => !isEnteredInError(one)).sort(newest);
  const ruledOut = (one: Condition): boolean => hasCode(one.verificationStatus, ["refuted"]);
  const active = valid.filter((one) => !isOver(one) && !ruledOut(one));
  const past = valid.filter((one) => isOver(one) || ruledOut(one));
  const wrong = pages.items.filter(isEnteredInError);
  const row = (one: Condition): ReactNode => <Problem one={one} patient={patient} />;
  const keyOf = (one: Condition, at: number): string => one.id ?? String(at);
  return (
    <PagesPanel title={t("problems.title")} id="problems" pages={[pages]} empty={t("problems.empty")} isEmpty={!pages.items.length}>
      {() => (
        <>
          {active.length ? (
            <Rows items={active} first={8} row={row} keyOf={keyOf} />
          ) : (
            <p className="quiet" style={{ margin: 0 }}>{t("problems.noneActive")}</p>
          )}
          {past.length > 0 && (
            <Folded label={t("problems.past", { count: past.length })}>
              <Rows items={past} first={30} row={row} keyOf={keyOf} />
            </Folded>
          )}
          <Withdrawn count={wrong.length}>{() => <Rows items={wrong} first={30} row={row} keyOf={keyOf} />}</Withdrawn>
        </>
      )}
    </PagesPanel>
  );
}
