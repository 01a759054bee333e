import type { ReactNode } from "react";
import { conceptText, isEnteredInError, recordedText } from "../../fhir/codes";
import { formatDate, toTime, type Language } from "../../fhir/dates";
import { formatDosage } from "../../fhir/dosage";
import type { CodeableConcept, Dosage, Medication, MedicationRequest, MedicationStatement, Reference, Resource } from "../../fhir/types";
import type { Pages } from "../../fhir/usePages";
import { useLanguage } from "../../i18n";
import { PagesPanel, Withdrawn } from "../../parts/PagesPanel";
import { Folded, Rows } from "../../parts/Panel";
import { Words } from "../../parts/Words";
import { Source } from "../../parts/Source";
import { DraftTag, Tag } from "../../parts/Tags";

type Entry = MedicationRequest | MedicationStatement;

const CURRENT = ["active", "on-hold", "draft", "intended", "unknown"];

/** The medicine's name: written in the entry, in a Medication within it or beside it, or only displayed. */
export function medicineOf(one: Entry, included: Map<string, Resource>): CodeableConcept | undefined {
  if (recordedText(one.medicationCodeableConcept)) return one.medicationCodeableConcept;
  const reference: Reference | undefined = one.medicationReference;
  const key = reference?.reference ?? "";
  const medication = (
    key.startsWith("#") ? one.contained?.find((inside) => `#${inside.id}` === key) : included.get(key)
  ) as Medication | undefined;
  return recordedText(medication?.code) ? medication?.code : { text: reference?.display };
}

function dateOf(one: Entry): string | undefined {
  return one.resourceType === "MedicationRequest"
    ? one.authoredOn
    : (one.effectiveDateTime ?? one.effectivePeriod?.start ?? one.dateAsserted);
}

function dosagesOf(one: Entry): Dosage[] {
  return (one.resourceType === "MedicationRequest" ? one.dosageInstruction : one.dosage) ?? [];
}

function reasonOf(reasons: CodeableConcept[] | undefined, language: Language): string | undefined {
  return reasons?.map((reason) => conceptText(reason, language)).filter(Boolean).join("; ") || undefined;
}

function Medicine({ one, medicine, patient }: { one: Entry; medicine: CodeableConcept | undefined; patient: string }): ReactNode {
  const { language, t } = useLanguage();
  const what = conceptText(medicine, language) ?? t("unknown.what");
  const dosages = dosagesOf(one).map((dosage) => formatDosage(dosage, language, t)).filter(Boolean);
  const date = formatDate(dateOf(one), language);
  const reason = reasonOf(one.reasonCode, language);
  const request = one.resourceType === "MedicationRequest";
  return (
    <div className="row">
      <span className="grow">
        <Words concept={medicine} shown={what} />{" "}
        {one.status && one.status !== "active" && (
          <Tag kind={one.status === "on-hold" ? "warn" : undefined}>{t(`medicineStatus.${one.status}`)}</Tag>
        )}{" "}
        {request && one.intent === "proposal" && <Tag kind="warn">{t("medicines.proposal")}</Tag>} <DraftTag of={one} />
        <span style={{ display: "block" }} dir="auto" className={dosages.length ? "wrap" : "quiet small"}>
          {dosages.length ? dosages.join("; ") : t("unknown.dosage")}
        </span>
        <span className="quiet small" style={{ display: "block" }}>
          {date ? t(request ? "medicines.ordered" : "medicines.reported", { date }) : t("unknown.date")}
          {reason && `${t("listComma")}${t("medicines.for", { reason })}`}
        </span>
      </span>
      <Source of={one} patient={patient} what={what} />
    </div>
  );
}

export function Medicines({
  requests, statements, patient,
}: {
  requests: Pages<MedicationRequest>;
  statements: Pages<MedicationStatement>;
  patient: string;
}): ReactNode {
  const { t } = useLanguage();
  const included = new Map([...requests.included, ...statements.included]);
  const all: Entry[] = [...requests.items, ...statements.items];
  all.sort((a, b) => (toTime(dateOf(b)) ?? 0) - (toTime(dateOf(a)) ?? 0));
  const valid = all.filter((one) => !isEnteredInError(one));
  const current = valid.filter((one) => CURRENT.includes(one.status ?? "unknown"));
  const past = valid.filter((one) => !CURRENT.includes(one.status ?? "unknown"));
  const wrong = all.filter(isEnteredInError);
  const row = (one: Entry): ReactNode => <Medicine one={one} medicine={medicineOf(one, included)} patient={patient} />;
  const keyOf = (one: Entry, at: number): string => `${one.resourceType}/${one.id ?? at}`;
  return (
    <PagesPanel
      title={t("medicines.title")} id="medicines" pages={[requests, statements]} empty={t("medicines.empty")} isEmpty={!all.length}
    >
      {() => (
        <>
          {current.length ? (
            <Rows items={current} first={10} row={row} keyOf={keyOf} />
          ) : (
            <p className="quiet" style={{ margin: 0 }}>{t("medicines.noneActive")}</p>
          )}
          {past.length > 0 && (
            <Folded label={t("medicines.past", { count: past.length })}>
              <Rows items={past} first={30} row={row} keyOf={keyOf} />
            </Folded>
          )}
          <Withdrawn count={wrong.length}>{() => <Rows items={wrong} first={30} row={row} keyOf={keyOf} />}</Withdrawn>
        </>
      )}
    </PagesPanel>
  );
}
