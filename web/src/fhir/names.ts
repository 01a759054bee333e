import type { Address, HumanName, Identifier, Patient } from "./types";

const HAN = /\p{Script=Han}/u;
const USES = ["official", "usual", undefined, "temp", "nickname", "anonymous", "old", "maiden"];

function rank(name: HumanName): number {
  const place = USES.indexOf(name.use);
  return place < 0 ? USES.length : place;
}

/** One name as written: its text, else family and given in the order of its script (张伟, Ada Lovelace). */
export function formatName(name: HumanName | undefined): string | undefined {
  if (!name) return undefined;
  if (name.text?.trim()) return name.text.trim();
  const given = (name.given ?? []).filter(Boolean);
  const family = name.family ?? "";
  if (HAN.test(family + given.join(""))) {
    const whole = family + given.join("");
    return whole.trim() || undefined;
  }
  const words = [...(name.prefix ?? []), ...given, family, ...(name.suffix ?? [])].filter((word) => word.trim());
  return words.join(" ") || undefined;
}

/** The name to show first, and the others that differ from it (a pinyin form, a maiden name). */
export function namesOf(patient: Pick<Patient, "name">): { main?: string; others: string[] } {
  const sorted = [...(patient.name ?? [])].sort((a, b) => rank(a) - rank(b));
  const texts = sorted.map(formatName).filter((text): text is string => Boolean(text));
  const unique = [...new Set(texts)];
  return { main: unique[0], others: unique.slice(1) };
}

/** A key into `identifierType.*` for the kinds that the pages name, else undefined. */
export function identifierKind(identifier: Identifier): string | undefined {
  const code = identifier.type?.coding?.find((coding) => coding.code)?.code;
  const system = identifier.system ?? "";
  // China's resident identity number: OID 2.16.156.10011.1.3 in the national registry of health identifiers.
  if (system.includes("2.16.156.10011.1.3")) return "NI";
  if (code && ["MR", "SS", "SB", "DL", "PPN", "NI", "JHN", "PI", "VN", "AN", "PT", "MC", "NH"].includes(code)) return code;
  return system === "http://hl7.org/fhir/sid/us-ssn" ? "SS" : undefined;
}

/** Identifiers worth a line in the banner: with a value, current ones first, the record number before all. */
export function identifiersOf(patient: Pick<Patient, "identifier">): Identifier[] {
  const first = (identifier: Identifier): number => {
    const kind = identifierKind(identifier);
    return kind === "MR" || kind === "PI" ? 0 : kind === "NI" ? 1 : kind ? 2 : 3;
  };
  return (patient.identifier ?? [])
    .filter((identifier) => identifier.value && identifier.use !== "old")
    .sort((a, b) => first(a) - first(b));
}

/** An address in one line, in the order of its script. */
export function formatAddress(address: Address | undefined): string | undefined {
  if (!address) return undefined;
  if (address.text?.trim()) return address.text.trim();
  const { line = [], city, district, state, postalCode } = address;
  const all = [state, city, district, ...line].join("");
  if (HAN.test(all)) {
    return [...new Set([state, city, district])].join("") + line.join("") || undefined;
  }
  return [line.join(", "), city, [state, postalCode].filter(Boolean).join(" ")].filter(Boolean).join(", ") || undefined;
}
