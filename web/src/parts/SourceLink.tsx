import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

/** `Observation/123` or `Observation/123/_history/2` on this server, taken apart; undefined for anything else. */
export function localReference(reference: string | undefined): { type: string; id: string } | undefined {
  const match = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[A-Za-z0-9.-]+)?$/.exec(reference ?? "");
  return match ? { type: match[1]!, id: match[2]! } : undefined;
}

/** To the source view of any resource, staying with the patient one came from. */
export function SourceLink({ patient, type, id, children }: { patient: string; type: string; id: string; children: ReactNode }): ReactNode {
  return (
    <Link to="/patients/$patientId/source/$type/$id" params={{ patientId: patient, type, id }} search={true}>
      {children}
    </Link>
  );
}
