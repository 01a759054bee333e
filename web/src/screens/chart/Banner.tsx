import { useState, type ReactNode } from "react";
import { ageDay, ageOn, formatDate } from "../../fhir/dates";
import { formatAddress, identifierKind, identifiersOf, namesOf } from "../../fhir/names";
import type { AllergyIntolerance, Identifier, Patient } from "../../fhir/types";
import type { Pages } from "../../fhir/usePages";
import { conceptText } from "../../fhir/codes";
import { useLanguage } from "../../i18n";
import { ageText } from "../../parts/age";
import { Source } from "../../parts/Source";
import { Tag } from "../../parts/Tags";
import { allergyName, isCurrentAllergy } from "./Allergies";
import styles from "./Banner.module.css";
import { useToday } from "./past";

const IDENTIFIERS_FIRST = 2;

/** Who this is, what endangers them: in sight wherever one is in the chart. */
export function Banner({ patient, allergies }: { patient: Patient; allergies: Pages<AllergyIntolerance> }): ReactNode {
  const { language, t } = useLanguage();
  const { main, others } = namesOf(patient);
  const dead = Boolean(patient.deceasedDateTime ?? patient.deceasedBoolean);
  // Dead on an unknown day: an age counted to today would be wrong.
  const today = useToday();
  const age = dead && !patient.deceasedDateTime ? undefined : ageOn(patient.birthDate, ageDay(patient.deceasedDateTime, today));
  const died = formatDate(patient.deceasedDateTime, language);
  const sex = patient.gender ? t(`sex.${patient.gender}`) : t("unknown.sex");
  const born = patient.birthDate ? t("banner.born", { date: formatDate(patient.birthDate, language) }) : t("unknown.birthDate");
  const [ageWords, phone, address] = [age && ageText(age, t), patient.telecom?.find((one) => one.system === "phone" && one.value)?.value, formatAddress(patient.address?.[0])];
  return (
    <div className={styles.banner} role="region" aria-label={main ?? t("unknown.name")}>
      <div className={styles.who}>
        <h1 className={styles.name}>
          <Source of={patient} patient={patient.id ?? ""} what={main ?? t("unknown.name")}><bdi>{main ?? t("unknown.name")}</bdi></Source>
        </h1>
        <span>{sex}</span>
        <span className="num">
          {ageWords && age?.unit !== "unknown" && (
            <strong>{dead ? t("age.atDeath", { age: ageWords }) : ageWords}</strong>
          )}{" "}
          <span className="quiet">{born}</span>
        </span>
        {dead && <Tag kind="high">{died ? t("banner.died", { date: died }) : t("banner.diedNoDate")}</Tag>}
        {patient.active === false && <Tag kind="warn">{t("banner.inactive")}</Tag>}
        {others.length > 0 && <span className="quiet small wrap" dir="auto">{t("banner.alsoNamed", { names: others.join(t("listComma")) })}</span>}
      </div>
      <div className={styles.more}>
        <Identifiers patient={patient} />
        {phone && <span className="small"><span className="quiet">{t("banner.phone")}</span> <span className="num">{phone}</span></span>}
        {address && <span className={`small wrap ${styles.address}`}><span className="quiet">{t("banner.address")}</span> <span dir="auto">{address}</span></span>}
      </div>
      <AllergyLine allergies={allergies} />
    </div>
  );
}

function Identifiers({ patient }: { patient: Patient }): ReactNode {
  const { language, t } = useLanguage();
  const [all, setAll] = useState(false);
  const identifiers = identifiersOf(patient);
  const label = (one: Identifier): string => {
    const kind = identifierKind(one);
    return kind ? t(`identifierType.${kind}`) : (conceptText(one.type, language) ?? t("identifierType.other"));
  };
  const hidden = identifiers.length - IDENTIFIERS_FIRST;
  const shown = all ? identifiers : identifiers.slice(0, IDENTIFIERS_FIRST);
  if (!identifiers.length) return <span className="quiet small">{t("unknown.identifier")}</span>;
  return (
    <>
      {shown.map((one, at) => (
        <span key={at} className="small wrap" title={one.system}>
          <span className="quiet">{label(one)}</span> <span className="num">{one.value}</span>
        </span>
      ))}
      {hidden > 0 && !all && (
        <button type="button" className="linkish small" onClick={() => setAll(true)}>{t("banner.moreIdentifiers", { count: hidden })}</button>
      )}
    </>
  );
}

function AllergyLine({ allergies }: { allergies: Pages<AllergyIntolerance> }): ReactNode {
  const { language, t } = useLanguage();
  const current = allergies.items.filter(isCurrentAllergy);
  const names = current.map((one) => ({ name: allergyName(one, language) ?? t("unknown.what"), high: one.criticality === "high", id: one.id }));
  names.sort((a, b) => Number(b.high) - Number(a.high));
  return (
    <div className={styles.allergies} data-some={current.length > 0 || allergies.status === "failed"}>
      <strong>{t("banner.allergies")}</strong>{" "}
      {allergies.status === "failed" ? <span role="alert">{t("banner.allergiesFailed")}</span>
        : allergies.status === "loading" ? <span>{t("state.loading")}</span>
        : names.length === 0 ? <span>{t("banner.allergiesNone")}</span>
        : names.map((one, at) => (
            <span key={one.id ?? at} className={styles.allergy} dir="auto">
              {one.name}
              {one.high && t("banner.note", { text: t("allergies.high") })}
            </span>
          ))}
      {allergies.status === "ready" && Boolean(allergies.error) && <span role="alert"> {t("banner.allergiesFailed")}</span>}
    </div>
  );
}
