import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { requestText } from "../fhir/client";
import { parseKeepingDecimals } from "../fhir/decimals";
import { testName } from "../fhir/codes";
import type { Language } from "../fhir/dates";
import type { CodeableConcept, Observation, Resource } from "../fhir/types";

/** A machine's proposal as the server tells it; `reason` and `title` are in the reader's language, decimals keep their digits. */
export interface Draft {
  reference: string;
  type: string;
  id: string;
  version: number;
  state: string;
  changed: boolean; // accepted, and what it rests on has changed since
  kind: string;
  title: string;
  patient: { id: string; name: string } | null;
  proposed: string;
  reason: string;
  model: { name: string; version: string; hash: string };
  confidence: number | string | null;
  inputs: { reference: string; title: string; code: CodeableConcept | null; value: string; now: string | null }[]; // `now` null: deleted
  corrects: string | null;
  changes: { path: string; before: unknown; after: unknown }[];
  before: Resource | null;
  content: Resource;
}

/** What a draft is about: a test by the name it has in the chart, in the reader's language where there is one. */
export function titleOf(draft: Draft, language: Language): string {
  const { content } = draft;
  return content.resourceType === "Observation" ? known((content as Observation).code, language, draft.title) : draft.title;
}

/** What it was computed from, named in the same way. */
export function inputTitle(input: Draft["inputs"][number], language: Language): string {
  return known(input.code ?? undefined, language, input.title);
}

function known(code: CodeableConcept | undefined, language: Language, recorded: string): string {
  const name = testName(code, language);
  return !name || (language === "en" && HAN.test(name)) ? recorded : name; // what is recorded names the code as well
}

const HAN = /\p{Script=Han}/u;

export interface DraftsPage {
  drafts: Draft[];
  next: string | null;
}

export type Decision =
  | { what: "accept" }
  | { what: "amend"; values: [string, string][] }
  | { what: "reject"; code: string; text: string };

const EVERY_MS = 15_000; // drafts come and go by themselves: a model proposes, an input changes

/** Drafts that wait (`open`) or must be looked at again (`changed`), newest first; of one patient, or all. */
export function useDrafts(language: string, patient?: string, state: "open" | "changed" = "open") {
  return useInfiniteQuery({
    queryKey: ["drafts", state, patient ?? "", language],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) => {
      const asked = new URLSearchParams({ state, ...(patient ? { patient } : {}), ...(pageParam ? { after: pageParam } : {}) });
      return parseKeepingDecimals<DraftsPage>(await requestText(`/api/drafts?${asked}`, signal));
    },
    getNextPageParam: (last) => last.next ?? undefined,
    refetchInterval: EVERY_MS,
  });
}

/** Why a draft may be rejected, in the reader's words. */
export function useReasons(language: string, wanted: boolean) {
  return useQuery({
    queryKey: ["drafts", "reasons", language],
    enabled: wanted,
    staleTime: Infinity,
    queryFn: async ({ signal }) =>
      (JSON.parse(await requestText("/api/drafts/reasons", signal)) as { reasons: { code: string; text: string }[] }).reasons,
  });
}

/** The FHIR Parameters of a decision on the version that was seen. */
export function parametersOf(decision: Decision, version: number): string {
  const text = (name: string, value: string): object => ({ name, valueString: value });
  const parameter: object[] = [{ name: "version", valuePositiveInt: version }];
  if (decision.what === "amend")
    for (const [path, value] of decision.values) parameter.push({ name: "set", part: [text("path", path), text("value", value)] });
  if (decision.what === "reject") {
    parameter.push({ name: "code", valueCode: decision.code });
    if (decision.text.trim()) parameter.push(text("text", decision.text.trim()));
  }
  return JSON.stringify({ resourceType: "Parameters", parameter });
}

/** `done` is told even where the draft has gone from the page by then. */
export function useDecide(draft: Draft, done: (decision: Decision) => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (decision: Decision) =>
      requestText(`${draft.type}/${encodeURIComponent(draft.id)}/$${decision.what}`, undefined, parametersOf(decision, draft.version)),
    onSuccess: (_answer, decision) => done(decision),
    // Whatever came of it, the record is what counts: a refusal means that it is not as it was shown. What was decided is in
    // the chart too.
    onSettled: () => client.invalidateQueries({ predicate: (query) => query.queryKey[1] !== "reasons" }),
  });
}

const TYPED = /(^|\.)(value|unit|valueString|valueInteger|conclusion|detail|probabilityDecimal|text|description)$/;

/** The single elements that can be changed in a form: path and present value, those that would change first. */
export function editable(draft: Draft): [string, string][] {
  const found = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (Array.isArray(value)) value.forEach((one, at) => walk(one, `${path}[${at}]`));
    else if (value !== null && typeof value === "object") {
      for (const [name, inner] of Object.entries(value)) walk(inner, path ? `${path}.${name}` : name);
    } else if (TYPED.test(path) && (typeof value === "string" || typeof value === "number")) found.set(path, String(value));
  };
  const { resourceType: _type, id: _id, meta: _meta, text: _text, code: _code, subject: _subject, ...content } = draft.content as Resource & Record<string, unknown>;
  walk(content, "");
  const paths = new Set(draft.changes.map((one) => one.path));
  return [...found].sort(([a], [b]) => Number(paths.has(b)) - Number(paths.has(a))).slice(0, 8);
}
