import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { follow, search, type Page } from "./client";
import type { Resource } from "./types";

/** Pages that follow one another until all is there, or `limit` entries are; then more on request, and it is said so. */
export interface Pages<T extends Resource> {
  items: T[];
  included: Map<string, Resource>; // by "Type/id"
  status: "loading" | "failed" | "ready"; // ready from the first page on
  error: unknown;
  complete: boolean;
  more: boolean; // stopped at the limit: there is more in the record
  loadingMore: boolean;
  loadMore: () => void;
  retry: () => void;
  warnings: string[];
}

const PAGE = 200;

export function usePages<T extends Resource>(type: string, parameters: [string, string][], limit = 600): Pages<T> {
  const query = useInfiniteQuery({
    queryKey: ["pages", type, parameters],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }): Promise<Page<T>> =>
      pageParam ? follow<T>(pageParam, signal) : search<T>(type, [...parameters, ["_count", String(PAGE)]], signal),
    getNextPageParam: (last) => last.next,
  });
  const pages = query.data?.pages;
  const [items, included, warnings] = useMemo(() => {
    const all: T[] = [];
    const seen = new Set<string>();
    const beside = new Map<string, Resource>();
    const remarks = new Set<string>();
    for (const page of pages ?? []) {
      for (const one of page.matches) {
        const key = `${one.resourceType}/${one.id ?? all.length}`;
        if (!seen.has(key)) all.push(one); // while others write, a page may repeat an entry
        seen.add(key);
      }
      for (const one of page.included) if (one.id) beside.set(`${one.resourceType}/${one.id}`, one);
      page.warnings.forEach((one) => remarks.add(one));
    }
    return [all, beside, [...remarks]] as [T[], Map<string, Resource>, string[]];
  }, [pages]);

  const { hasNextPage, isFetchingNextPage, isError, fetchNextPage } = query;
  const below = items.length < limit;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && !isError && below) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isError, below, fetchNextPage, pages]);

  return {
    items,
    included,
    status: pages ? "ready" : query.isError ? "failed" : "loading",
    error: query.error,
    complete: Boolean(pages) && !hasNextPage,
    more: Boolean(hasNextPage) && !below,
    loadingMore: isFetchingNextPage,
    loadMore: () => void fetchNextPage(),
    retry: () => void (pages ? fetchNextPage() : query.refetch()),
    warnings,
  };
}
