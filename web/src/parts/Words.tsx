import type { ReactNode } from "react";
import { recordedText } from "../fhir/codes";
import type { CodeableConcept } from "../fhir/types";

/** A thing's name in the reader's language, with the words that were recorded beside it where they differ: a
 * translation may say less than the record does (a strength, a side). */
export function Words({ concept, shown }: { concept: CodeableConcept | undefined; shown: string }): ReactNode {
  const recorded = recordedText(concept);
  return (
    <>
      <bdi className="what">{shown}</bdi>
      {recorded && recorded !== shown && <> <bdi className="quiet small">{recorded}</bdi></>}
    </>
  );
}
