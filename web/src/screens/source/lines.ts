/** A resource laid out for reading: one line an element, by its FHIR name; nothing left out, nothing renamed. */
export interface SourceLine {
  depth: number;
  label: string;
  value?: string;
  kind: "group" | "text" | "number" | "reference" | "data";
}

const LONG_DATA = 400;

/** Lines of parsed JSON. `data` of attachments is shortened, with its length said; the JSON view has it whole. */
export function linesOf(value: unknown, limit: number): { lines: SourceLine[]; cut: boolean } {
  const lines: SourceLine[] = [];
  let cut = false;
  const walk = (one: unknown, label: string, depth: number): void => {
    if (lines.length >= limit) {
      cut = true;
      return;
    }
    if (Array.isArray(one)) {
      one.forEach((item, at) => walk(item, one.length > 1 ? `${label} [${at + 1}]` : label, depth));
    } else if (one !== null && typeof one === "object") {
      lines.push({ depth, label, kind: "group" });
      for (const [key, inner] of Object.entries(one)) walk(inner, key, depth + 1);
    } else {
      const text = String(one);
      const name = label.split(" ")[0]!;
      const data = name === "data" && text.length > LONG_DATA;
      lines.push({
        depth,
        label,
        value: data ? `${text.slice(0, 60)}… (${text.length.toLocaleString("en")})` : text,
        kind: data ? "data" : typeof one === "number" ? "number" : name === "reference" ? "reference" : "text",
      });
    }
  };
  if (value !== null && typeof value === "object") for (const [key, inner] of Object.entries(value)) walk(inner, key, 0);
  return { lines, cut };
}

/** JSON text with line breaks and indents; every number and string stays as it is written. */
export function indented(json: string): string {
  let out = "";
  let depth = 0;
  let inText = false;
  const line = (): string => `\n${"  ".repeat(depth)}`;
  for (let at = 0; at < json.length; at += 1) {
    const c = json[at]!;
    if (inText) {
      out += c;
      if (c === "\\") {
        at += 1;
        out += json[at] ?? "";
      } else if (c === '"') inText = false;
    } else if (c === '"') {
      inText = true;
      out += c;
    } else if (c === "{" || c === "[") {
      const rest = /^\s*([}\]])/.exec(json.slice(at + 1, at + 200));
      if (rest) {
        out += c + rest[1]!;
        at += rest[0].length;
      } else {
        depth += 1;
        out += c + line();
      }
    } else if (c === "}" || c === "]") {
      depth -= 1;
      out += line() + c;
    } else if (c === ",") out += c + line();
    else if (c === ":") out += ": ";
    else if (!/\s/.test(c)) out += c;
  }
  return out;
}
