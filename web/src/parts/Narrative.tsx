import { createElement, Fragment, type ReactNode } from "react";

/** What may be shown of someone else's XHTML. No attribute but a table cell's span is kept; scripts, styles, pictures,
 * links and forms are left out, their words (where they have any for a reader) kept. */
const SHOWN = new Set([
  "p", "div", "span", "br", "hr", "ul", "ol", "li", "dl", "dt", "dd", "b", "strong", "i", "em", "u", "sub", "sup", "small",
  "h1", "h2", "h3", "h4", "h5", "h6", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "pre", "blockquote", "code",
]);
const LEFT_OUT = new Set(["script", "style", "template", "iframe", "object", "embed", "svg", "math", "head", "noscript", "title"]);
const EMPTY = new Set(["br", "hr"]);
const TABLE_ONLY = new Set(["table", "thead", "tbody", "tfoot", "tr"]);
const DEEPEST = 60;

function span(element: Element, name: string): number | undefined {
  const number = Number(element.getAttribute(name));
  return Number.isInteger(number) && number > 1 && number < 100 ? number : undefined;
}

function shown(node: Node, key: number, depth: number): ReactNode {
  if (node.nodeType === Node.TEXT_NODE) {
    const parent = node.parentElement?.tagName.toLowerCase() ?? "";
    return TABLE_ONLY.has(parent) && !node.textContent?.trim() ? null : node.textContent;
  }
  if (node.nodeType !== Node.ELEMENT_NODE) return null;
  if (depth > DEEPEST) return node.textContent; // the words are kept, the nesting is not
  const element = node as Element;
  const tag = element.tagName.toLowerCase();
  if (LEFT_OUT.has(tag)) return null;
  const children = [...element.childNodes].map((child, at) => shown(child, at, depth + 1));
  if (!SHOWN.has(tag)) return <Fragment key={key}>{children}</Fragment>;
  // A document's own headings must not upset those of the page.
  const name = /^h[1-6]$/.test(tag) ? "h5" : tag;
  if (EMPTY.has(tag)) return createElement(name, { key });
  const spans = tag === "td" || tag === "th" ? { colSpan: span(element, "colspan"), rowSpan: span(element, "rowspan") } : {};
  return createElement(name, { key, ...spans }, ...children);
}

/** A parsed document never runs anything; handlers are disarmed even so, or the browser reports each as blocked. */
function parse(html: string): Document {
  const disarmed = html.replace(/<[^>]*>/g, (tag) => tag.replace(/([\s"'/])on\w+\s*=/gi, "$1data-dropped="));
  return new DOMParser().parseFromString(disarmed, "text/html");
}

/** XHTML from a resource, shown safely; the words keep their own direction. */
export function Narrative({ html }: { html: string }): ReactNode {
  const parsed = parse(html);
  return (
    <div className="narrative" dir="auto">
      {[...parsed.body.childNodes].map((child, at) => shown(child, at, 0))}
    </div>
  );
}

/** The words of XHTML alone, to see whether there is anything to read. */
export function narrativeText(html: string | undefined): string {
  if (!html) return "";
  return parse(html).body.textContent?.trim() ?? "";
}
