import { Button, CopyButton } from "@mantine/core";
import type { ReactNode } from "react";
import { useLanguage } from "../../i18n";
import { Panel } from "../../parts/Panel";
import styles from "./SearchScreen.module.css";

/** The record is empty: what to type to fill it. */
export function FirstScreen({ again, looking }: { again: () => void; looking: boolean }): ReactNode {
  const { t } = useLanguage();
  return (
    <div className={styles.screen}>
      <h1 className={styles.title}>{t("first.title")}</h1>
      <p>{t("first.intro")}</p>
      <div className={styles.two}>
        <Panel title={t("first.importTitle")}>
          <p style={{ margin: 0 }}>{t("first.importText")}</p>
          <Command text={`xinglin import ${t("first.importPath")}`} />
        </Panel>
        <Panel title={t("first.demoTitle")}>
          <p style={{ margin: 0 }}>{t("first.demoText")}</p>
          <Command text="xinglin demo" />
        </Panel>
      </div>
      <Button onClick={again} loading={looking}>{t("first.checkAgain")}</Button>
    </div>
  );
}

function Command({ text }: { text: string }): ReactNode {
  const { t } = useLanguage();
  return (
    <div className={styles.command}>
      <code tabIndex={0}>{text}</code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button variant="default" size="compact-md" onClick={copy}>{t(copied ? "first.copied" : "first.copy")}</Button>
        )}
      </CopyButton>
    </div>
  );
}
