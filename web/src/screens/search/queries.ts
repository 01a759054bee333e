import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { search, searchPrivately } from "../../fhir/client";
import { lookups, type Lookup } from "../../fhir/identify";
import { namesOf } from "../../fhir/names";
import type { Patient } from "../../fhir/types";

// Latin names by letter, Chinese ones by pinyin.
const BY_NAME = new Intl.Collator(["zh-CN", "en"]);

/** How many are listed at first; by how much "more" widens the list; and how many at most: who seeks one in a thousand types more. */
export const FIRST = 20;
export const WIDER = 4;
export const MOST = 1000;

function counted(count: number): [string, string] {
  return ["_count", String(count)];
}

export interface Found {
  patient: Patient;
  by: Lookup["by"];
}

/** What was typed, asked in each way that it can be meant; a patient found in several ways stands once. */
export function usePatientSearch(typed: string, count: number) {
  const asked = lookups(typed);
  return useQueries({
    queries: asked.map((lookup) => ({
      queryKey: ["find", lookup.by, lookup.parameters, count],
      queryFn: ({ signal }: { signal: AbortSignal }) => searchPrivately<Patient>("Patient", [...lookup.parameters, counted(count)], signal),
      placeholderData: count > FIRST ? keepPreviousData : undefined, // the shorter list stays while the longer one comes
      gcTime: 60_000, // what was typed is not kept for long
    })),
    combine: (results) => {
      const found = new Map<string, Found>();
      results.forEach((result, at) => {
        for (const patient of result.data?.matches ?? [])
          if (patient.id && !found.has(patient.id)) found.set(patient.id, { patient, by: asked[at]!.by });
      });
      const name = (one: Found): string => namesOf(one.patient).main ?? "";
      return {
        found: [...found.values()].sort((a, b) => BY_NAME.compare(name(a), name(b))),
        pending: results.some((one) => one.isPending),
        errors: results.filter((one) => one.isError).map((one) => one.error),
        answered: results.some((one) => one.isSuccess),
        more: results.some((one) => one.data?.next),
        widening: results.some((one) => one.isPlaceholderData),
        warnings: [...new Set(results.flatMap((one) => one.data?.warnings ?? []))],
        retry: () => results.forEach((one) => one.isError && void one.refetch()),
      };
    },
  });
}

/** The records changed last, to begin with; an empty answer is an empty record. */
export function useRecent(count: number) {
  return useQuery({
    queryKey: ["recent", count],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => search<Patient>("Patient", [["_sort", "-_lastUpdated"], counted(count)], signal),
  });
}
