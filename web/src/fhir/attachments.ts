import { requestText } from "./client";
import type { Attachment, Resource } from "./types";

export type Content =
  | { kind: "text"; text: string }
  | { kind: "html"; html: string }
  | { kind: "image" | "other"; blob: Blob; type: string }
  | { kind: "elsewhere"; url: string }
  | { kind: "broken" }
  | { kind: "none" };

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const binary = atob(base64.replace(/\s/g, ""));
    const bytes = new Uint8Array(binary.length);
    for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
    return bytes;
  } catch {
    return undefined;
  }
}

/** Text in the character set that was named, else UTF-8, else GB18030 where the bytes are not UTF-8. */
export function decodeText(bytes: Uint8Array<ArrayBuffer>, contentType: string): string {
  const named = /charset\s*=\s*"?([\w-]+)/i.exec(contentType)?.[1];
  for (const charset of [named, "utf-8"]) {
    if (!charset) continue;
    try {
      return new TextDecoder(charset, { fatal: true }).decode(bytes);
    } catch {
      // not this one
    }
  }
  return new TextDecoder("gb18030").decode(bytes);
}

function contentOf(data: string, contentType: string): Content {
  const bytes = bytesOf(data);
  if (!bytes) return { kind: "broken" };
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "text/html" || type === "application/xhtml+xml") return { kind: "html", html: decodeText(bytes, contentType) };
  if (type === "" || type.startsWith("text/")) return { kind: "text", text: decodeText(bytes, contentType) };
  // A picture is drawn from a blob of a plain raster kind only: an SVG could carry script.
  const raster = /^image\/(png|jpeg|gif|webp)$/.test(type);
  return { kind: raster ? "image" : "other", blob: new Blob([bytes], { type: raster ? type : "application/octet-stream" }), type };
}

/** What an attachment holds: its own data, or a Binary of this server. Nothing is fetched from anywhere else. */
export async function openAttachment(attachment: Attachment, signal?: AbortSignal): Promise<Content> {
  const type = attachment.contentType ?? "";
  if (attachment.data) return contentOf(attachment.data, type);
  if (!attachment.url) return { kind: "none" };
  const local = /^(?:\/fhir\/)?(Binary\/[A-Za-z0-9.-]{1,64})$/.exec(attachment.url)?.[1];
  if (!local) return { kind: "elsewhere", url: attachment.url };
  const binary = JSON.parse(await requestText(local, signal)) as Resource & { contentType?: string; data?: string };
  return binary.data ? contentOf(binary.data, binary.contentType ?? type) : { kind: "none" };
}
