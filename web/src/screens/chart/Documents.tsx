import { NO_BANNER } from "../../theme/theme";
import { Modal } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useState, type ReactNode } from "react";
import { isEnteredInError } from "../../fhir/codes";
import { toTime } from "../../fhir/dates";
import type { Composition, DiagnosticReport, DocumentReference, Observation } from "../../fhir/types";
import type { Pages } from "../../fhir/usePages";
import { useLanguage } from "../../i18n";
import { PagesPanel, Withdrawn } from "../../parts/PagesPanel";
import { Folded, Rows } from "../../parts/Panel";
import { Source } from "../../parts/Source";
import { DraftTag, Tag, When } from "../../parts/Tags";
import { authorsOf, dateOf, onlyGathers, titleOf, type Document } from "./documents";
import { DocumentView } from "./DocumentView";

/** Notes, letters and reports, newest first; each opens in readable form. */
export function Documents({
  documents, compositions, reports, observations, patient,
}: {
  documents: Pages<DocumentReference>;
  compositions: Pages<Composition>;
  reports: Pages<DiagnosticReport>;
  observations: Pages<Observation>; // so that a report shows its results, not only that it has some
  patient: string;
}): ReactNode {
  const { language, t } = useLanguage();
  const phone = useMediaQuery("(max-width: 48em)");
  const [opened, setOpened] = useState<Document>();
  const all: Document[] = [...documents.items, ...compositions.items, ...reports.items];
  all.sort((a, b) => (toTime(dateOf(b)) ?? 0) - (toTime(dateOf(a)) ?? 0));
  const valid = all.filter((one) => !isEnteredInError(one) && !onlyGathers(one));
  const gathering = all.filter((one) => !isEnteredInError(one) && onlyGathers(one));
  const wrong = all.filter(isEnteredInError);
  const title = (one: Document): string => titleOf(one, language) ?? t("unknown.what");
  const row = (one: Document): ReactNode => {
    const authors = authorsOf(one);
    const count = one.resourceType === "DiagnosticReport" ? (one.result?.length ?? 0) : 0;
    return (
      <div className="row">
        <span className="date"><When date={dateOf(one)} /></span>
        <span className="grow">
          <button type="button" className="linkish wrap" dir="auto" onClick={() => setOpened(one)} aria-label={t("documents.open", { what: title(one) })}>
            {title(one)}
          </button>{" "}
          {one.status === "superseded" && <Tag>{t("documents.superseded")}</Tag>}
          {one.status === "preliminary" && <Tag kind="warn">{t("observationStatus.preliminary")}</Tag>} <DraftTag of={one} />
          <span className="quiet small">
            {[authors.length ? t("documents.by", { who: authors.join(t("listComma")) }) : "", count ? t("documents.results", { count }) : ""]
              .filter(Boolean)
              .join(" · ")}
          </span>
        </span>
        <Source of={one} patient={patient} what={title(one)} />
      </div>
    );
  };
  const keyOf = (one: Document, at: number): string => `${one.resourceType}/${one.id ?? at}`;
  return (
    <>
      <PagesPanel
        title={t("documents.title")} id="documents" pages={[documents, compositions, reports]} empty={t("documents.empty")} isEmpty={!all.length}
      >
        {() => (
          <>
            {valid.length ? <Rows items={valid} first={6} row={row} keyOf={keyOf} /> : <p className="quiet" style={{ margin: 0 }}>{t("documents.noNotes")}</p>}
            {gathering.length > 0 && (
              <Folded label={t("documents.gathering", { count: gathering.length })}>
                <Rows items={gathering} first={20} row={row} keyOf={keyOf} />
              </Folded>
            )}
            <Withdrawn count={wrong.length}>{() => <Rows items={wrong} first={30} row={row} keyOf={keyOf} />}</Withdrawn>
          </>
        )}
      </PagesPanel>
      <Modal
        opened={Boolean(opened)} onClose={() => setOpened(undefined)} size="xl" fullScreen={phone}
        title={opened && <strong dir="auto">{title(opened)}</strong>} attributes={NO_BANNER} closeButtonProps={{ "aria-label": t("trend.close") }}
      >
        {opened && (
          <>
            <p className="quiet small" style={{ marginTop: 0 }}>
              <When date={dateOf(opened)} />
              {authorsOf(opened).length > 0 && ` · ${t("documents.by", { who: authorsOf(opened).join(t("listComma")) })}`}
              {" · "}
              <Source of={opened} patient={patient} what={title(opened)} />
            </p>
            <DocumentView document={opened} observations={observations.items} patient={patient} />
          </>
        )}
      </Modal>
    </>
  );
}
