import type { ReactNode } from "react";
import { codeOf, conceptText, hasCode, isEnteredInError } from "../../fhir/codes";
import { formatDate, type Language } from "../../fhir/dates";
import type { AllergyIntolerance } from "../../fhir/types";
import type { Pages } from "../../fhir/usePages";
import { useLanguage } from "../../i18n";
import { PagesPanel, Withdrawn } from "../../parts/PagesPanel";
import { Folded, Rows } from "../../parts/Panel";
import { Words } from "../../parts/Words";
import { Source } from "../../parts/Source";
import { DraftTag, Tag } from "../../parts/Tags";

/** True of the patient now, as far as was recorded: not withdrawn, ruled out or resolved. */
export function isCurrentAllergy(one: AllergyIntolerance): boolean {
  return (
    !isEnteredInError(one) &&
    !hasCode(one.verificationStatus, ["refuted"]) &&
    !hasCode(one.clinicalStatus, ["inactive", "resolved"])
  );
}

export function allergyName(one: AllergyIntolerance, language: Language): string | undefined {
  return conceptText(one.code, language) ?? conceptText(one.reaction?.find((r) => r.substance)?.substance, language);
}

function Allergy({ one, patient }: { one: AllergyIntolerance; patient: string }): ReactNode {
  const { language, t } = useLanguage();
  const what = allergyName(one, language) ?? t("unknown.what");
  const status = codeOf(one.clinicalStatus);
  const sure = codeOf(one.verificationStatus);
  const reactions = (one.reaction ?? [])
    .map((reaction) => {
      const text = (reaction.manifestation ?? []).map((concept) => conceptText(concept, language)).filter(Boolean).join(t("listComma")) || reaction.description;
      const severity = reaction.severity && t(`severity.${reaction.severity}`);
      return text && severity ? (language === "zh" ? `${text}（${severity}）` : `${text} (${severity})`) : (text ?? severity);
    })
    .filter(Boolean);
  const about = [
    ...(one.category ?? []).map((category) => t(`allergyCategory.${category}`)),
    one.type === "intolerance" ? t("allergies.intolerance") : undefined,
    formatDate(one.recordedDate, language) && t("allergies.recorded", { date: formatDate(one.recordedDate, language) }),
  ].filter(Boolean);
  return (
    <div className="row">
      <span className="grow">
        <Words concept={one.code} shown={what} />{" "}
        {one.criticality && <Tag kind={one.criticality === "high" ? "high" : undefined}>{t(`allergies.${one.criticality}`)}</Tag>}{" "}
        {status && status !== "active" && <Tag>{t(`conditionStatus.${status}`)}</Tag>}{" "}
        {sure && sure !== "confirmed" && <Tag kind="warn">{t(`verification.${sure}`)}</Tag>} <DraftTag of={one} />
        <span style={{ display: "block" }} className={reactions.length ? "wrap" : "quiet small"}>
          {reactions.length ? t("allergies.reaction", { text: reactions.join("; ") }) : t("allergies.noReaction")}
        </span>
        <span className="quiet small" style={{ display: "block" }}>{about.join(" · ")}</span>
      </span>
      <Source of={one} patient={patient} what={what} />
    </div>
  );
}

export function Allergies({ pages, patient }: { pages: Pages<AllergyIntolerance>; patient: string }): ReactNode {
  const { t } = useLanguage();
  const rank = (one: AllergyIntolerance): number => (one.criticality === "high" ? 0 : 1);
  const current = pages.items.filter(isCurrentAllergy).sort((a, b) => rank(a) - rank(b));
  const wrong = pages.items.filter(isEnteredInError);
  const past = pages.items.filter((one) => !isCurrentAllergy(one) && !isEnteredInError(one));
  const row = (one: AllergyIntolerance): ReactNode => <Allergy one={one} patient={patient} />;
  const keyOf = (one: AllergyIntolerance, at: number): string => one.id ?? String(at);
  return (
    <PagesPanel title={t("allergies.title")} id="allergies" pages={[pages]} empty={t("allergies.empty")} isEmpty={!pages.items.length}>
      {() => (
        <>
          {current.length ? (
            <Rows items={current} first={20} row={row} keyOf={keyOf} />
          ) : (
            <p className="quiet" style={{ margin: 0 }}>{t("allergies.empty")}</p>
          )}
          {past.length > 0 && (
            <Folded label={t("allergies.past", { count: past.length })}>
              <Rows items={past} first={30} row={row} keyOf={keyOf} />
            </Folded>
          )}
          <Withdrawn count={wrong.length}>{() => <Rows items={wrong} first={30} row={row} keyOf={keyOf} />}</Withdrawn>
        </>
      )}
    </PagesPanel>
  );
}
