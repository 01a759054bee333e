import { Button } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { Pages } from "../fhir/usePages";
import type { Resource } from "../fhir/types";
import { useLanguage } from "../i18n";
import { Failure, Loading, Panel } from "./Panel";

/** What stands at the foot of a list: what is still loading, was left out or could not be loaded. Never a silent cut. */
export function PagesFoot({ pages }: { pages: Pages<Resource> }): ReactNode {
  const { t } = useLanguage();
  return (
    <>
      {pages.warnings.map((text) => (
        <p key={text} className="small quiet wrap">{t("state.warning", { text })}</p>
      ))}
      {pages.status === "ready" && Boolean(pages.error) && <Failure error={pages.error} retry={pages.retry} />}
      {pages.loadingMore && <p className="small quiet" role="status">{t("state.loadingMore")}</p>}
      {pages.more && !pages.loadingMore && (
        <p className="small" style={{ marginBottom: 0 }}>
          {t("state.shownOfMore", { shown: pages.items.length })}{" "}
          <Button size="compact-xs" variant="default" onClick={pages.loadMore}>{t("state.more")}</Button>
        </p>
      )}
    </>
  );
}

/** A panel over one or several searches: loading, failed and empty said in words, else what `children` shows. */
export function PagesPanel({
  title, id, pages, empty, isEmpty, aside, children,
}: {
  title: string;
  id: string;
  pages: Pages<Resource>[];
  empty: string;
  isEmpty: boolean;
  aside?: ReactNode;
  children: () => ReactNode;
}): ReactNode {
  const { t } = useLanguage();
  const failed = pages.filter((one) => one.status === "failed");
  const loading = pages.some((one) => one.status === "loading");
  // Nothing found is only said once everything that could have held something was read to its end.
  const settled = pages.every((one) => one.complete);
  const cut = pages.find((one) => one.more);
  return (
    <Panel title={title} id={id} aside={aside}>
      {failed.map((one, at) => (
        <Failure key={at} error={one.error} retry={one.retry} />
      ))}
      {isEmpty ? (
        cut ? <p className="quiet" style={{ margin: 0 }}>{t("state.noneInLoaded", { shown: cut.items.length })}</p>
        : loading || (!settled && !failed.length) ? <Loading /> : !failed.length && <p className="quiet" style={{ margin: 0 }}>{empty}</p>
      ) : (
        children()
      )}
      {pages.map((one, at) => (
        <PagesFoot key={at} pages={one} />
      ))}
    </Panel>
  );
}

/** Entries withdrawn as recorded in error: left out, counted, and there to be seen. */
export function Withdrawn({ count, children }: { count: number; children: () => ReactNode }): ReactNode {
  const { t } = useLanguage();
  const [open, setOpen] = useState(false);
  if (!count) return null;
  return (
    <div className="small quiet" style={{ marginTop: "0.5rem" }}>
      {t("state.withdrawn", { count })}{" "}
      <button type="button" className="linkish" aria-expanded={open} onClick={() => setOpen(!open)}>
        {t(open ? "state.hideWithdrawn" : "state.showWithdrawn")}
      </button>
      {open && <div className="struck">{children()}</div>}
    </div>
  );
}
