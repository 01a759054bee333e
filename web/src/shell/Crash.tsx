import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { useLanguage } from "../i18n";
import { Panel } from "../parts/Panel";

/** A screen of ours failed: said plainly, with a way out. */
export function Crash(): ReactNode {
  const { t } = useLanguage();
  return (
    <Panel whole title={t("appName")}>
      <p role="alert">{t("shell.crashed")}</p>
      <Button onClick={() => window.location.reload()}>{t("shell.reload")}</Button>
    </Panel>
  );
}

export function NoPage(): ReactNode {
  const { t } = useLanguage();
  return (
    <Panel whole title={t("appName")}>
      <p>{t("shell.noPage")}</p>
    </Panel>
  );
}
