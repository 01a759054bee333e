import { parseKeepingDecimals } from "./decimals";
import type { Bundle, OperationOutcome, Resource } from "./types";

const BASE = "/fhir";

/** Why a request came to nothing. `gone`: no answer at all, or one from a gateway that could not reach the record. */
export class FhirError extends Error {
  constructor(
    readonly kind: "gone" | "missing" | "refused" | "failed",
    readonly status: number,
    readonly said: string | undefined,
  ) {
    super(said ?? `${kind} ${status}`);
  }
}

let language = "en";
export function askIn(wanted: string): void {
  language = wanted;
}

function outcomeText(body: string): string | undefined {
  try {
    const outcome = JSON.parse(body) as OperationOutcome;
    const texts = (outcome.issue ?? []).map((one) => one.details?.text ?? one.diagnostics).filter(Boolean);
    return texts.length ? texts.join(" ") : undefined;
  } catch {
    return undefined;
  }
}

/** The body of one answer as text, numbers untouched. */
export async function requestText(path: string, signal?: AbortSignal, form?: URLSearchParams | string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(path.startsWith("/") ? path : `${BASE}/${path}`, {
      method: form ? "POST" : "GET",
      headers: { Accept: "application/fhir+json", "Accept-Language": language, ...(typeof form === "string" ? { "Content-Type": "application/fhir+json" } : {}) },
      body: form,
      signal,
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new FhirError("gone", 0, undefined);
  }
  const body = await response.text();
  if (response.ok) return body;
  const { status } = response;
  const kind =
    status === 404 || status === 410 ? "missing" : status === 502 || status === 503 || status === 504 ? "gone" : status < 500 ? "refused" : "failed";
  throw new FhirError(kind, status, outcomeText(body));
}

export async function read<T extends Resource>(type: string, id: string, signal?: AbortSignal, parameters: [string, string][] = []): Promise<T> {
  const query = parameters.length ? `?${new URLSearchParams(parameters)}` : "";
  return parseKeepingDecimals<T>(await requestText(`${type}/${encodeURIComponent(id)}${query}`, signal));
}

export interface Page<T extends Resource> {
  matches: T[];
  included: Resource[];
  next?: string;
  total?: number;
  warnings: string[];
}

/** A link to the next page, as a path on this server. A link to anywhere else is not followed. */
export function nextPath(bundle: Bundle, origin: string): string | undefined {
  const url = bundle.link?.find((one) => one.relation === "next")?.url;
  if (!url) return undefined;
  const absolute = new URL(url, `${origin}${BASE}/`);
  const path = absolute.pathname + absolute.search;
  return path.startsWith(`${BASE}/`) || path === BASE || path.startsWith(`${BASE}?`) ? path : undefined;
}

export function readPage<T extends Resource>(body: string, origin: string): Page<T> {
  const bundle = parseKeepingDecimals<Bundle<T>>(body);
  const page: Page<T> = { matches: [], included: [], total: bundle.total, next: nextPath(bundle, origin), warnings: [] };
  for (const entry of bundle.entry ?? []) {
    const resource = entry.resource;
    if (!resource) continue;
    if (resource.resourceType === "OperationOutcome") {
      for (const issue of (resource as OperationOutcome).issue ?? []) {
        const text = issue.details?.text ?? issue.diagnostics;
        if (text && issue.severity !== "information") page.warnings.push(text);
      }
    } else if (entry.search?.mode === "include") page.included.push(resource);
    else page.matches.push(resource as T);
  }
  return page;
}

/** A search by ids only: GET, so that the browser's own tools show it plainly. */
export async function search<T extends Resource>(
  type: string,
  parameters: [string, string][],
  signal?: AbortSignal,
): Promise<Page<T>> {
  const query = new URLSearchParams(parameters).toString();
  return readPage<T>(await requestText(`${type}?${query}`, signal), window.location.origin);
}

/** A search by a person's name, number or birth date: POST, so that these stand in no URL, log or history. */
export async function searchPrivately<T extends Resource>(
  type: string,
  parameters: [string, string][],
  signal?: AbortSignal,
): Promise<Page<T>> {
  const form = new URLSearchParams(parameters);
  return readPage<T>(await requestText(`${type}/_search`, signal, form), window.location.origin);
}

export async function follow<T extends Resource>(next: string, signal?: AbortSignal): Promise<Page<T>> {
  return readPage<T>(await requestText(next, signal), window.location.origin);
}
