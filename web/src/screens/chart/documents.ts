import { conceptText, recordedText } from "../../fhir/codes";
import type { Language } from "../../fhir/dates";
import type { Composition, DiagnosticReport, DocumentReference, Reference } from "../../fhir/types";

export type Document = DocumentReference | Composition | DiagnosticReport;

export function dateOf(one: Document): string | undefined {
  return one.resourceType === "DiagnosticReport" ? (one.effectiveDateTime ?? one.effectivePeriod?.start ?? one.issued) : one.date;
}

export function titleOf(one: Document, language: Language): string | undefined {
  switch (one.resourceType) {
    case "Composition":
      return one.title?.trim() || conceptText(one.type, language);
    case "DocumentReference":
      return conceptText(one.type, language) ?? one.content?.find((c) => c.attachment?.title)?.attachment?.title ?? one.description;
    case "DiagnosticReport":
      return conceptText(one.code, language);
  }
}

export function authorsOf(one: Document): string[] {
  const references: Reference[] = (one.resourceType === "DiagnosticReport" ? one.performer : one.author) ?? [];
  return references.map((reference) => reference.display).filter((text): text is string => Boolean(text));
}

/** A report that only gathers results: these stand among the results already. */
export function onlyGathers(one: Document): boolean {
  return (
    one.resourceType === "DiagnosticReport" && Boolean(one.result?.length) && !one.conclusion?.trim() && !one.presentedForm?.length && !one.conclusionCode?.length
  );
}

/** The title in the words that were recorded, whatever the reader's language. */
export function recordedTitle(one: Document): string | undefined {
  return recordedText(one.resourceType === "DiagnosticReport" ? one.code : one.type);
}
