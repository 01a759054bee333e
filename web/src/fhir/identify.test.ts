import { describe, expect, it } from "vitest";
import { lookups, readDate } from "./identify";

const ways = (typed: string): string[] => lookups(typed).map((one) => `${one.by}:${one.parameters.map((p) => p.join("=")).join("&")}`);

describe("what was typed", () => {
  it.each([
    ["1964-05-03", "1964-05-03"], ["1964/5/3", "1964-05-03"], ["19640503", "1964-05-03"], ["1964年5月3日", "1964-05-03"], ["3 May 1964", "1964-05-03"],
    ["May 3, 1964", "1964-05-03"], ["1964年5月", "1964-05"], ["1964", "1964"], ["may 1964", "1964-05"],
  ])("reads %s as a date", (typed, iso) => expect(readDate(typed)).toBe(iso));
  it.each(["1964-02-30", "1964-13-01", "10023", "zhangwei", "3000-01-01"])("does not read %s as a date", (typed) =>
    expect(readDate(typed)).toBeUndefined());
  it("takes characters, pinyin and initials for a name; each word must match", () => {
    expect(ways("张伟")).toEqual(["name:name=张伟"]);
    expect(ways(" zw ")).toEqual(["name:name=zw"]);
    expect(ways("Wei  Zhang")).toEqual(["name:name=Wei&name=Zhang"]);
  });
  it("takes digits for an identifier, a phone and perhaps a birth date", () => {
    expect(ways("19640503")).toEqual(["birthdate:birthdate=1964-05-03", "identifier:identifier=19640503", "phone:phone=19640503"]);
    expect(ways("0010023")).toEqual(["identifier:identifier=0010023", "phone:phone=0010023"]);
    expect(ways("11010119640503123X")).toEqual(["identifier:identifier=11010119640503123X"]);
    expect(ways("1964-05-03")).toEqual(["birthdate:birthdate=1964-05-03"]);
  });
  it("escapes what FHIR would read as separators, and asks nothing for nothing", () => {
    expect(ways("a1|b")).toEqual(["identifier:identifier=a1\\|b"]);
    expect(ways("   ")).toEqual([]);
  });
});
