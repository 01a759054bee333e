import type { ReactNode } from "react";
import { conceptText, isEnteredInError, isIn, recordedText } from "../../fhir/codes";
import { formatPeriod, parts, toTime } from "../../fhir/dates";
import type { Encounter, Immunization, Procedure, Reference, Resource } from "../../fhir/types";
import type { Pages } from "../../fhir/usePages";
import { useLanguage } from "../../i18n";
import { PagesPanel, Withdrawn } from "../../parts/PagesPanel";
import { Rows } from "../../parts/Panel";
import { Source } from "../../parts/Source";
import { DraftTag, Tag, When } from "../../parts/Tags";

const CLASSES = ["AMB", "EMER", "IMP", "ACUTE", "NONAC", "OBSENC", "PRENC", "SS", "VR", "HH", "FLD"];

function nameOf(reference: Reference | undefined, included: Map<string, Resource>): string | undefined {
  const beside = included.get(reference?.reference ?? "") as (Resource & { name?: unknown }) | undefined;
  return reference?.display ?? (typeof beside?.name === "string" ? beside.name : undefined);
}

/** Nights between the first and the last day of a stay; undefined for one day or where either is not known. */
function daysOf(one: Encounter): number | undefined {
  const [from, to] = [parts(one.period?.start), parts(one.period?.end)];
  if (!from?.day || !to?.day) return undefined;
  const ms = Date.UTC(to.year, to.month! - 1, to.day) - Date.UTC(from.year, from.month! - 1, from.day);
  return ms > 0 ? Math.round(ms / 86_400_000) : undefined;
}

export function Encounters({ pages, patient }: { pages: Pages<Encounter>; patient: string }): ReactNode {
  const { language, t } = useLanguage();
  const valid = pages.items.filter((one) => !isEnteredInError(one));
  const wrong = pages.items.filter(isEnteredInError);
  const row = (one: Encounter): ReactNode => {
    const code = one.class?.code ?? "";
    const kind = CLASSES.includes(code) ? t(`encounterClass.${code}`) : (one.class?.display ?? (code || t("encounterClass.unknown")));
    const said = [conceptText(one.type?.[0], language), conceptText(one.serviceType, language)].filter((text) => text && text !== kind);
    const what = said.find((text) => isIn(language, text)) ?? said[0];
    const reason = one.reasonCode?.map((reason) => conceptText(reason, language)).filter(Boolean).join(t("listComma"));
    const where = [nameOf(one.serviceProvider, pages.included), ...(one.location ?? []).map((l) => l.location?.display)]
      .find((text) => text && text !== what && text !== recordedText(one.serviceType));
    const days = daysOf(one);
    return (
      <div className="row">
        <span className="date"><When date={one.period?.start ?? one.period?.end} /></span>
        <span className="grow">
          <Tag kind={code === "EMER" ? "warn" : undefined}>{kind}</Tag> <span dir="auto" className="wrap">{what}</span>{" "}
          {one.status && one.status !== "finished" && <Tag>{t(`encounterStatus.${one.status}`)}</Tag>} <DraftTag of={one} />
          {days !== undefined && (
            <span className="quiet small">
              {" "}{formatPeriod(one.period, language)} ({t("encounters.days", { count: days })})
            </span>
          )}
          {(reason || where) && (
            <span className="quiet small wrap" style={{ display: "block" }} dir="auto">
              {[reason && t("encounters.reason", { text: reason }), where].filter(Boolean).join(" · ")}
            </span>
          )}
        </span>
        <Source of={one} patient={patient} what={what ?? kind} />
      </div>
    );
  };
  const keyOf = (one: Encounter, at: number): string => one.id ?? String(at);
  return (
    <PagesPanel title={t("encounters.title")} id="encounters" pages={[pages]} empty={t("encounters.empty")} isEmpty={!pages.items.length}>
      {() => (
        <>
          <Rows items={valid} first={6} row={row} keyOf={keyOf} />
          <Withdrawn count={wrong.length}>{() => <Rows items={wrong} first={30} row={row} keyOf={keyOf} />}</Withdrawn>
        </>
      )}
    </PagesPanel>
  );
}

export function Immunizations({ pages, patient }: { pages: Pages<Immunization>; patient: string }): ReactNode {
  const { language, t } = useLanguage();
  const valid = pages.items.filter((one) => !isEnteredInError(one));
  const wrong = pages.items.filter(isEnteredInError);
  const row = (one: Immunization): ReactNode => {
    const what = conceptText(one.vaccineCode, language) ?? t("unknown.what");
    const dose = one.protocolApplied?.[0]?.doseNumberPositiveInt ?? one.protocolApplied?.[0]?.doseNumberString;
    return (
      <div className="row">
        <span className="grow">
          <span dir="auto" className="wrap">{what}</span>{" "}
          {one.status === "not-done" && <Tag kind="warn">{t("immunizations.not-done")}</Tag>} <DraftTag of={one} />
          <span className="quiet small" style={{ display: "block" }}>
            {one.occurrenceString ?? <When date={one.occurrenceDateTime} />}
            {dose !== undefined && ` · ${t("immunizations.dose", { number: dose })}`}
          </span>
        </span>
        <Source of={one} patient={patient} what={what} />
      </div>
    );
  };
  const keyOf = (one: Immunization, at: number): string => one.id ?? String(at);
  return (
    <PagesPanel
      title={t("immunizations.title")} id="immunizations" pages={[pages]} empty={t("immunizations.empty")} isEmpty={!pages.items.length}
    >
      {() => (
        <>
          <Rows items={valid} first={6} row={row} keyOf={keyOf} />
          <Withdrawn count={wrong.length}>{() => <Rows items={wrong} first={30} row={row} keyOf={keyOf} />}</Withdrawn>
        </>
      )}
    </PagesPanel>
  );
}

export function Procedures({ pages, patient }: { pages: Pages<Procedure>; patient: string }): ReactNode {
  const { language, t } = useLanguage();
  const dateOf = (one: Procedure): string | undefined => one.performedDateTime ?? one.performedPeriod?.start ?? one.performedPeriod?.end;
  const valid = pages.items.filter((one) => !isEnteredInError(one)).sort((a, b) => (toTime(dateOf(b)) ?? 0) - (toTime(dateOf(a)) ?? 0));
  const wrong = pages.items.filter(isEnteredInError);
  const row = (one: Procedure): ReactNode => {
    const what = conceptText(one.code, language) ?? t("unknown.what");
    const site = one.bodySite?.map((place) => conceptText(place, language)).filter(Boolean).join(t("listComma"));
    return (
      <div className="row">
        <span className="date">{one.performedString ?? <When date={dateOf(one)} />}</span>
        <span className="grow">
          <span dir="auto" className="wrap">{what}</span>{" "}
          {one.status && one.status !== "completed" && <Tag kind="warn">{t(`procedureStatus.${one.status}`)}</Tag>} <DraftTag of={one} />
          {site && <span className="quiet small" style={{ display: "block" }}>{site}</span>}
        </span>
        <Source of={one} patient={patient} what={what} />
      </div>
    );
  };
  const keyOf = (one: Procedure, at: number): string => one.id ?? String(at);
  return (
    <PagesPanel title={t("procedures.title")} id="procedures" pages={[pages]} empty={t("procedures.empty")} isEmpty={!pages.items.length}>
      {() => (
        <>
          <Rows items={valid} first={6} row={row} keyOf={keyOf} />
          <Withdrawn count={wrong.length}>{() => <Rows items={wrong} first={30} row={row} keyOf={keyOf} />}</Withdrawn>
        </>
      )}
    </PagesPanel>
  );
}
