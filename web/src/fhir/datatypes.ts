/** FHIR R4 datatypes, as far as the pages read them. Elements that are not shown are left out, never renamed. */

/** A decimal as it was written: a string where JavaScript's number would lose a digit (`"1.10"`). */
export type Decimal = number | string;

export interface Coding {
  system?: string;
  code?: string;
  display?: string;
}
export interface CodeableConcept {
  coding?: Coding[];
  text?: string;
}
export interface Reference {
  reference?: string;
  type?: string;
  identifier?: Identifier;
  display?: string;
}
export interface Period {
  start?: string;
  end?: string;
}
export interface Identifier {
  use?: string;
  type?: CodeableConcept;
  system?: string;
  value?: string;
}
export interface Quantity {
  value?: Decimal;
  comparator?: string;
  unit?: string;
  system?: string;
  code?: string;
}
export interface Range {
  low?: Quantity;
  high?: Quantity;
}
export interface Ratio {
  numerator?: Quantity;
  denominator?: Quantity;
}
export interface Annotation {
  text?: string;
  time?: string;
  authorString?: string;
}
export interface Attachment {
  contentType?: string;
  language?: string;
  data?: string;
  url?: string;
  title?: string;
  creation?: string;
  size?: number;
}
export interface Narrative {
  status?: string;
  div?: string;
}
export interface HumanName {
  use?: string;
  text?: string;
  family?: string;
  given?: string[];
  prefix?: string[];
  suffix?: string[];
}
export interface ContactPoint {
  system?: string;
  value?: string;
  use?: string;
}
export interface Address {
  text?: string;
  line?: string[];
  city?: string;
  district?: string;
  state?: string;
  postalCode?: string;
  country?: string;
}

export interface Resource {
  resourceType: string;
  id?: string;
  meta?: { versionId?: string; lastUpdated?: string; security?: Coding[]; tag?: Coding[] };
  text?: Narrative;
}
