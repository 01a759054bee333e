import { conceptText } from "../../fhir/codes";
import type { Composition, DiagnosticReport, DocumentReference, Reference } from "../../fhir/types";

export type Document = DocumentReference | Composition | DiagnosticReport;

export function dateOf(one: Document): string | undefined {
  return one.resourceType === "DiagnosticReport" ? (one.effectiveDateTime ?? one.effectivePeriod?.start ?? one.issued) : one.date;
}

export function titleOf(one: Document): string | undefined {
  switch (one.resourceType) {
    case "Composition":
      return one.title?.trim() || conceptText(one.type);
    case "DocumentReference":
      return conceptText(one.type) ?? one.content?.find((c) => c.attachment?.title)?.attachment?.title ?? one.description;
    case "DiagnosticReport":
      return conceptText(one.code);
  }
}

export function authorsOf(one: Document): string[] {
  const references: Reference[] = (one.resourceType === "DiagnosticReport" ? one.performer : one.author) ?? [];
  return references.map((reference) => reference.display).filter((text): text is string => Boolean(text));
}
