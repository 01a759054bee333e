import { describe, expect, it } from "vitest";
import { decodeText, openAttachment } from "./attachments";

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(values);

describe("attachments", () => {
  it("reads UTF-8, and GB18030 where the bytes are no UTF-8", () => {
    expect(decodeText(bytes(0xe6, 0x9d, 0x8f), "text/plain")).toBe("杏");
    expect(decodeText(bytes(0xd0, 0xd3), "text/plain")).toBe("杏");
    expect(decodeText(bytes(0xd0, 0xd3), "text/plain; charset=gbk")).toBe("杏");
  });
  it("says that damaged data is damaged, and that other data is elsewhere", async () => {
    expect(await openAttachment({ contentType: "text/plain", data: "%%%" })).toEqual({ kind: "broken" });
    expect(await openAttachment({ url: "https://elsewhere.example/x.pdf" })).toEqual({ kind: "elsewhere", url: "https://elsewhere.example/x.pdf" });
    expect(await openAttachment({})).toEqual({ kind: "none" });
  });
  it("never draws an SVG, which could carry script", async () => {
    expect(await openAttachment({ contentType: "image/svg+xml", data: "PHN2Zy8+" })).toMatchObject({ kind: "other" });
  });
});
