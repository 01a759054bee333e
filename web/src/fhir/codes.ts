import { TEST_NAMES } from "./test-names";
import type { Language } from "./dates";
import type { CodeableConcept, Coding, Resource } from "./types";

const HAN = /\p{Script=Han}/u;
// SNOMED CT ends a name with what kind of thing it is; a reader sees that from where it stands.
const SEMANTIC_TAG =
  / \((finding|disorder|procedure|situation|event|regime\/therapy|observable entity|morphologic abnormality|qualifier value|substance|product|person|environment|context-dependent category|medicinal product|clinical drug)\)$/;

/** What a concept says as it was recorded: its text, else the first display, else the first code. */
export function recordedText(concept: CodeableConcept | undefined): string | undefined {
  if (!concept) return undefined;
  const coding = concept.coding?.find((one) => one.display?.trim()) ?? concept.coding?.find((one) => one.code);
  const said = concept.text?.trim() || coding?.display?.trim() || coding?.code;
  return said?.replace(SEMANTIC_TAG, "");
}

/** Whether words are written in a language, as far as their script tells. */
export function isIn(language: Language, text: string | undefined): boolean {
  return Boolean(text) && HAN.test(text!) === (language === "zh");
}

/** The same in the reader's language where the record itself holds it so, in its text or in a coding's display. */
export function conceptText(concept: CodeableConcept | undefined, language: Language): string | undefined {
  const said = [concept?.text, ...(concept?.coding ?? []).map((one) => one.display)].map((one) => one?.trim());
  const inLanguage = said.find((one) => isIn(language, one));
  return inLanguage?.replace(SEMANTIC_TAG, "") ?? recordedText(concept);
}

/** The code that stands for a concept from one system, or from any. */
export function codeOf(concept: CodeableConcept | undefined, system?: string): string | undefined {
  return concept?.coding?.find((one) => one.code && (system === undefined || one.system === system))?.code;
}

export const LOINC = "http://loinc.org";

/** The name of a test or vital sign in the reader's language where its LOINC code is a common one, else as recorded. */
export function testName(concept: CodeableConcept | undefined, language: Language): string | undefined {
  const recorded = conceptText(concept, language);
  if (language === "zh" && recorded && HAN.test(recorded)) return recorded;
  const known = TEST_NAMES[codeOf(concept, LOINC) ?? ""];
  return known?.[language] ?? recorded;
}

/** One key for one kind of thing: coded where it is, else by its words. */
export function conceptKey(concept: CodeableConcept | undefined): string {
  const coding = concept?.coding?.find((one) => one.code);
  return coding ? `${coding.system ?? ""}|${coding.code}` : `text|${concept?.text?.trim().toLowerCase() ?? ""}`;
}

export function hasCode(concept: CodeableConcept | undefined, codes: readonly string[]): boolean {
  return concept?.coding?.some((one: Coding) => one.code !== undefined && codes.includes(one.code)) ?? false;
}

/** Withdrawn by whoever recorded it: never shown among what is true of the patient. */
export function isEnteredInError(resource: Resource & { status?: string; verificationStatus?: CodeableConcept }): boolean {
  return resource.status === "entered-in-error" || hasCode(resource.verificationStatus, ["entered-in-error"]);
}

/** Asserted by a machine (security label AIAST), not yet by a person. */
export function isMachineMade(resource: Resource): boolean {
  const labels = resource.meta?.security?.map((label) => label.code) ?? [];
  return labels.includes("AIAST") && !labels.includes("CLINAST");
}
