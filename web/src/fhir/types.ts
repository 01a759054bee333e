/** The parts of FHIR R4 that the pages read. Elements the pages do not show are left out, never renamed. */
import type {
  Decimal, Coding, CodeableConcept, Reference, Period, Identifier, Quantity, Range, Ratio, Annotation, Attachment, Narrative, HumanName, ContactPoint, Address, Resource,
} from "./datatypes";

export type * from "./datatypes";

export interface Patient extends Resource {
  resourceType: "Patient";
  active?: boolean;
  identifier?: Identifier[];
  name?: HumanName[];
  telecom?: ContactPoint[];
  gender?: string;
  birthDate?: string;
  deceasedBoolean?: boolean;
  deceasedDateTime?: string;
  address?: Address[];
}

/** Onset or abatement: any of the choices the standard gives. */
interface Onset {
  onsetDateTime?: string;
  onsetAge?: Quantity;
  onsetPeriod?: Period;
  onsetString?: string;
}

export interface Condition extends Resource, Onset {
  resourceType: "Condition";
  clinicalStatus?: CodeableConcept;
  verificationStatus?: CodeableConcept;
  category?: CodeableConcept[];
  severity?: CodeableConcept;
  code?: CodeableConcept;
  bodySite?: CodeableConcept[];
  abatementDateTime?: string;
  abatementString?: string;
  abatementPeriod?: Period;
  recordedDate?: string;
  note?: Annotation[];
}

export interface AllergyIntolerance extends Resource, Onset {
  resourceType: "AllergyIntolerance";
  clinicalStatus?: CodeableConcept;
  verificationStatus?: CodeableConcept;
  type?: string;
  category?: string[];
  criticality?: string;
  code?: CodeableConcept;
  recordedDate?: string;
  lastOccurrence?: string;
  reaction?: { substance?: CodeableConcept; manifestation?: CodeableConcept[]; description?: string; severity?: string }[];
}

export interface Timing {
  event?: string[];
  code?: CodeableConcept;
  repeat?: {
    frequency?: number;
    frequencyMax?: number;
    period?: Decimal;
    periodMax?: Decimal;
    periodUnit?: string;
    when?: string[];
    boundsDuration?: Quantity;
    boundsPeriod?: Period;
  };
}
export interface Dosage {
  text?: string;
  patientInstruction?: string;
  timing?: Timing;
  asNeededBoolean?: boolean;
  asNeededCodeableConcept?: CodeableConcept;
  route?: CodeableConcept;
  doseAndRate?: { doseQuantity?: Quantity; doseRange?: Range; rateQuantity?: Quantity }[];
}

export interface MedicationRequest extends Resource {
  resourceType: "MedicationRequest";
  status?: string;
  intent?: string;
  medicationCodeableConcept?: CodeableConcept;
  medicationReference?: Reference;
  authoredOn?: string;
  reasonCode?: CodeableConcept[];
  dosageInstruction?: Dosage[];
  contained?: Resource[];
}
export interface MedicationStatement extends Resource {
  resourceType: "MedicationStatement";
  status?: string;
  medicationCodeableConcept?: CodeableConcept;
  medicationReference?: Reference;
  effectiveDateTime?: string;
  effectivePeriod?: Period;
  dateAsserted?: string;
  reasonCode?: CodeableConcept[];
  dosage?: Dosage[];
  contained?: Resource[];
}
export interface Medication extends Resource {
  resourceType: "Medication";
  code?: CodeableConcept;
}

/** What an Observation, or one component of it, can hold as its value. */
export interface ObservationValue {
  valueQuantity?: Quantity;
  valueCodeableConcept?: CodeableConcept;
  valueString?: string;
  valueBoolean?: boolean;
  valueInteger?: number;
  valueRange?: Range;
  valueRatio?: Ratio;
  valueTime?: string;
  valueDateTime?: string;
  valuePeriod?: Period;
  valueSampledData?: { data?: string };
  dataAbsentReason?: CodeableConcept;
  interpretation?: CodeableConcept[];
  referenceRange?: ReferenceRange[];
}
export interface ReferenceRange {
  low?: Quantity;
  high?: Quantity;
  text?: string;
  type?: CodeableConcept;
  appliesTo?: CodeableConcept[];
  age?: Range;
}
export interface Observation extends Resource, ObservationValue {
  resourceType: "Observation";
  status?: string;
  category?: CodeableConcept[];
  code?: CodeableConcept;
  effectiveDateTime?: string;
  effectivePeriod?: Period;
  effectiveInstant?: string;
  issued?: string;
  hasMember?: Reference[];
  component?: (ObservationValue & { code?: CodeableConcept })[];
  note?: Annotation[];
}

export interface Encounter extends Resource {
  resourceType: "Encounter";
  status?: string;
  class?: Coding;
  type?: CodeableConcept[];
  serviceType?: CodeableConcept;
  reasonCode?: CodeableConcept[];
  period?: Period;
  location?: { location?: Reference }[];
  serviceProvider?: Reference;
  participant?: { individual?: Reference }[];
  diagnosis?: { condition?: Reference }[];
}
export interface Immunization extends Resource {
  resourceType: "Immunization";
  status?: string;
  vaccineCode?: CodeableConcept;
  occurrenceDateTime?: string;
  occurrenceString?: string;
  lotNumber?: string;
  protocolApplied?: { doseNumberPositiveInt?: number; doseNumberString?: string }[];
}
export interface Procedure extends Resource {
  resourceType: "Procedure";
  status?: string;
  code?: CodeableConcept;
  performedDateTime?: string;
  performedPeriod?: Period;
  performedString?: string;
  bodySite?: CodeableConcept[];
  outcome?: CodeableConcept;
}
export interface DocumentReference extends Resource {
  resourceType: "DocumentReference";
  status?: string;
  docStatus?: string;
  type?: CodeableConcept;
  category?: CodeableConcept[];
  date?: string;
  author?: Reference[];
  description?: string;
  content?: { attachment?: Attachment }[];
}
export interface CompositionSection {
  title?: string;
  code?: CodeableConcept;
  text?: Narrative;
  entry?: Reference[];
  section?: CompositionSection[];
}
export interface Composition extends Resource {
  resourceType: "Composition";
  status?: string;
  type?: CodeableConcept;
  date?: string;
  title?: string;
  author?: Reference[];
  section?: CompositionSection[];
}
export interface DiagnosticReport extends Resource {
  resourceType: "DiagnosticReport";
  status?: string;
  category?: CodeableConcept[];
  code?: CodeableConcept;
  effectiveDateTime?: string;
  effectivePeriod?: Period;
  issued?: string;
  performer?: Reference[];
  result?: Reference[];
  conclusion?: string;
  conclusionCode?: CodeableConcept[];
  presentedForm?: Attachment[];
}

export interface OperationOutcome extends Resource {
  resourceType: "OperationOutcome";
  issue?: { severity?: string; code?: string; diagnostics?: string; details?: CodeableConcept }[];
}
export interface Bundle<T extends Resource = Resource> extends Resource {
  resourceType: "Bundle";
  total?: number;
  link?: { relation?: string; url?: string }[];
  entry?: { resource?: T | OperationOutcome; search?: { mode?: string } }[];
}
