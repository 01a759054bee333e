import { useEffect, useState, type ReactNode } from "react";
import { useLanguage } from "../../i18n";
import { DraftList } from "../../parts/DraftList";
import { useDrafts } from "../../parts/DraftQueries";
import { Panel } from "../../parts/Panel";

/** All that machines propose and no one has decided yet; above it, accepted results whose grounds have changed. */
export function DraftsScreen(): ReactNode {
  const { language, t } = useLanguage();
  const [told, setTold] = useState("");
  const open = useDrafts(language);
  const changed = useDrafts(language, undefined, "changed");
  const again = changed.data?.pages.some((page) => page.drafts.length > 0) ?? false;
  useEffect(() => {
    document.title = `${t("drafts.title")} · ${t("appName")}`;
  }, [t]);
  return (
    <>
      <p role="status" className="small" style={{ margin: told ? "0 0 0.6rem" : 0 }}>{told}</p>
      {(again || changed.isError) && (
        <div style={{ marginBottom: "1rem" }}>
          <Panel title={t("drafts.again")}>
            <p className="quiet small" style={{ marginTop: 0 }}>{t("drafts.againExplain")}</p>
            <DraftList query={changed} named empty="" said={setTold} />
          </Panel>
        </div>
      )}
      <Panel whole title={t("drafts.title")}>
        <p className="quiet small" style={{ marginTop: 0 }}>{t("drafts.explain")}</p>
        <DraftList query={open} named level={2} empty={t("drafts.none")} said={setTold} />
      </Panel>
    </>
  );
}
