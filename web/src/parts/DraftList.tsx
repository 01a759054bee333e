import { Button } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { useLanguage } from "../i18n";
import { DraftCard } from "./DraftCard";
import { useDrafts } from "./DraftQueries";
import { Failure, Loading, Panel } from "./Panel";
import { Tag } from "./Tags";

type Drafts = ReturnType<typeof useDrafts>;

/** Drafts one below the other; what was decided is said, since the draft itself goes away. */
export function DraftList({ query, named, level = 3, empty, said }: { query: Drafts; named: boolean; level?: 2 | 3; empty: string; said: (text: string) => void }): ReactNode {
  const { t } = useLanguage();
  const drafts = query.data?.pages.flatMap((page) => page.drafts) ?? [];
  if (query.isPending) return <Loading lines={4} />;
  return (
    <>
      {query.isError && <Failure error={query.error} retry={() => void query.refetch()} />}
      {drafts.length > 0 ? (
        <ul className="rows">
          {drafts.map((draft) => (
            <li key={`${draft.reference}/${draft.version}`}><DraftCard draft={draft} named={named} level={level} said={said} /></li>
          ))}
        </ul>
      ) : (
        !query.isError && <p className="quiet" style={{ margin: 0 }}>{empty}</p>
      )}
      {query.hasNextPage && (
        <Button variant="default" size="compact-md" mt="sm" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>{t("state.more")}</Button>
      )}
    </>
  );
}

/** In a patient's chart: what machines propose for them, and what must be looked at again. Nothing where there is nothing. */
export function PatientDrafts({ patient }: { patient: string }): ReactNode {
  const { language, t } = useLanguage();
  const [told, setTold] = useState("");
  const open = useDrafts(language, patient);
  const changed = useDrafts(language, patient, "changed");
  const count = (query: Drafts): number => query.data?.pages.reduce((sum, page) => sum + page.drafts.length, 0) ?? 0;
  const [waiting, again] = [count(open), count(changed)];
  const silent = !waiting && !again && !open.isError && !changed.isError;
  if (silent && !told) return null;
  return (
    <div style={{ marginBottom: "0.9rem" }}>
    <Panel title={t("drafts.title")} id="drafts" aside={waiting + again > 0 && <Tag kind="draft">{t("drafts.waiting", { count: waiting + again })}</Tag>}>
      <p role="status" className="small" style={{ margin: told ? "0 0 0.4rem" : 0 }}>{told}</p>
      {again > 0 && <DraftList query={changed} named={false} empty="" said={setTold} />}
      {again > 0 && waiting > 0 && <hr style={{ border: 0, borderTop: "1px solid var(--line)", margin: "0.7rem 0" }} />}
      {(waiting > 0 || open.isError) && <DraftList query={open} named={false} empty="" said={setTold} />}
    </Panel>
    </div>
  );
}
