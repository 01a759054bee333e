import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useLanguage } from "../i18n";
import type { Resource } from "../fhir/types";

/** The way from anything shown to the resource it came from. */
export function Source({ of, patient, what, children }: { of: Resource; patient: string; what: string; children?: ReactNode }): ReactNode {
  const { t } = useLanguage();
  if (!of.id) return children;
  return (
    <Link
      to="/patients/$patientId/source/$type/$id"
      params={{ patientId: patient, type: of.resourceType, id: of.id }}
      search={true}
      className="source small"
      aria-label={children ? undefined : t("chart.sourceOf", { what })}
      title={t("chart.sourceOf", { what })}
    >
      {children ?? t("chart.source")}
    </Link>
  );
}
