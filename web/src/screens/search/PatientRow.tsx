import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { conceptText } from "../../fhir/codes";
import { ageDay, ageOn, formatDate } from "../../fhir/dates";
import type { Lookup } from "../../fhir/identify";
import { identifierKind, identifiersOf, namesOf } from "../../fhir/names";
import type { Patient } from "../../fhir/types";
import { useLanguage } from "../../i18n";
import { ageText } from "../../parts/age";
import { Tag } from "../../parts/Tags";
import styles from "./SearchScreen.module.css";

/** A patient in a list: enough to tell two of one name apart. */
export function PatientRow({ patient, by }: { patient: Patient; by?: Lookup["by"] }): ReactNode {
  const { language, t } = useLanguage();
  const { main, others } = namesOf(patient);
  const dead = Boolean(patient.deceasedDateTime ?? patient.deceasedBoolean);
  const age = dead && !patient.deceasedDateTime ? undefined : ageOn(patient.birthDate, ageDay(patient.deceasedDateTime, new Date()));
  const words = age && age.unit !== "unknown" ? ageText(age, t) : undefined;
  const identifiers = identifiersOf(patient).slice(0, 2);
  return (
    <Link to="/patients/$patientId" params={{ patientId: patient.id ?? "" }} className={styles.patient}>
      <span className={styles.name}>
        {main ? <bdi>{main}</bdi> : <span className="quiet">{t("unknown.name")}</span>}
        {others.length > 0 && <bdi className={`quiet small ${styles.others}`}>{others.join(t("listComma"))}</bdi>}
      </span>
      <span className={styles.facts}>
        {patient.gender ? t(`sex.${patient.gender}`) : t("unknown.sex")}
        {words && <> · <span className="num">{dead ? t("age.atDeath", { age: words }) : words}</span></>}
        {dead && <> <Tag>{patient.deceasedDateTime ? t("banner.died", { date: formatDate(patient.deceasedDateTime, language) }) : t("banner.diedNoDate")}</Tag></>}
      </span>
      <span className={styles.line}>
        <span className="num">{patient.birthDate ? t("banner.born", { date: formatDate(patient.birthDate, language) }) : t("unknown.birthDate")}</span>
        {identifiers.map((one, at) => (
          <span key={at}>
            {identifierKind(one) ? t(`identifierType.${identifierKind(one)}`) : (conceptText(one.type, language) ?? t("identifierType.other"))}{" "}
            <span className="num">{one.value}</span>
          </span>
        ))}
        {by && by !== "name" && <Tag>{t(`search.by.${by}`)}</Tag>}
      </span>
    </Link>
  );
}
