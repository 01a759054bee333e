import { useQuery } from "@tanstack/react-query";
import { read } from "../../fhir/client";
import type { Patient } from "../../fhir/types";
import { usePages, type Pages } from "../../fhir/usePages";
import type * as R4 from "../../fhir/types";
import { asParameters, type Past } from "./past";

export function usePatient(id: string, past: Past | undefined) {
  return useQuery({ queryKey: ["read", "Patient", id, past], queryFn: ({ signal }) => read<Patient>("Patient", id, signal, asParameters(past)) });
}

/** How many results are fetched before the reader is asked: about ten years of a busy chart. */
const RESULTS_FIRST = 1200;

/** The chart's searches, asked side by side; what a reader needs first is asked first. */
export interface Chart {
  allergies: Pages<R4.AllergyIntolerance>;
  problems: Pages<R4.Condition>;
  requests: Pages<R4.MedicationRequest>;
  statements: Pages<R4.MedicationStatement>;
  observations: Pages<R4.Observation>;
  encounters: Pages<R4.Encounter>;
  documents: Pages<R4.DocumentReference>;
  compositions: Pages<R4.Composition>;
  reports: Pages<R4.DiagnosticReport>;
  immunizations: Pages<R4.Immunization>;
  procedures: Pages<R4.Procedure>;
}

export function useChart(patient: string, past: Past | undefined): Chart {
  const of = (...more: [string, string][]): [string, string][] => [["patient", patient], ...more, ...asParameters(past)];
  return {
    allergies: usePages("AllergyIntolerance", of()),
    problems: usePages("Condition", of()),
    requests: usePages("MedicationRequest", of(["_sort", "-authoredon"], ["_include", "MedicationRequest:medication"])),
    statements: usePages("MedicationStatement", of(["_include", "MedicationStatement:medication"])),
    observations: usePages("Observation", of(["_sort", "-date"]), RESULTS_FIRST),
    encounters: usePages("Encounter", of(["_sort", "-date"], ["_include", "Encounter:service-provider"])),
    documents: usePages("DocumentReference", of(["_sort", "-date"])),
    compositions: usePages("Composition", of(["_sort", "-date"])),
    reports: usePages("DiagnosticReport", of(["_sort", "-date"])),
    immunizations: usePages("Immunization", of(["_sort", "-date"])),
    procedures: usePages("Procedure", of(["_sort", "-date"])),
  };
}
