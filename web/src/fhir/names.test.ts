import { describe, expect, it } from "vitest";
import { formatAddress, formatName, identifierKind, identifiersOf, namesOf } from "./names";

describe("names", () => {
  it("joins a Chinese name without spaces, family first", () => {
    expect(formatName({ family: "张", given: ["伟"] })).toBe("张伟");
    expect(formatName({ family: "Murray", given: ["Bambi"], prefix: ["Mrs."] })).toBe("Mrs. Bambi Murray");
    expect(formatName({ text: " 欧阳娜 ", family: "x" })).toBe("欧阳娜");
  });
  it("gives the official name first, others once, and nothing for an empty one", () => {
    expect(namesOf({ name: [{ use: "maiden", text: "B" }, { use: "official", text: "A" }, { text: "A" }] })).toEqual({ main: "A", others: ["B"] });
    expect(namesOf({ name: [{}] })).toEqual({ main: undefined, others: [] });
    expect(namesOf({})).toEqual({ main: undefined, others: [] });
  });
});

describe("identifiers", () => {
  it("puts the record number first and leaves out those without a value", () => {
    const found = identifiersOf({ identifier: [{ value: "s" }, { system: "x" }, { type: { coding: [{ code: "MR" }] }, value: "r" }] });
    expect(found.map((one) => one.value)).toEqual(["r", "s"]);
  });
  it("knows the resident identity number by its registry", () => {
    expect(identifierKind({ system: "urn:oid:2.16.156.10011.1.3", value: "1" })).toBe("NI");
    expect(identifierKind({ value: "1" })).toBeUndefined();
  });
});

it("writes an address in the order of its script", () => {
  expect(formatAddress({ state: "北京市", city: "北京市", district: "朝阳区", line: ["示例路1号"] })).toBe("北京市朝阳区示例路1号");
  expect(formatAddress({ line: ["1 High St"], city: "Weston", state: "MA", postalCode: "02493" })).toBe("1 High St, Weston, MA 02493");
  expect(formatAddress({})).toBeUndefined();
});
