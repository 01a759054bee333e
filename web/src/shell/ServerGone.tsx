import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState, type ReactNode } from "react";
import { FhirError } from "../fhir/client";
import { useLanguage } from "../i18n";
import styles from "./Shell.module.css";

const ASK_AGAIN_MS = 3000;

/** Says when the server stops answering, asks until it answers again, then fetches anew what had failed. */
export function ServerGone(): ReactNode {
  const { t } = useLanguage();
  const client = useQueryClient();
  const [gone, setGone] = useState(false);

  useEffect(
    () =>
      client.getQueryCache().subscribe((event) => {
        if (event.type !== "updated") return;
        const { error } = event.query.state;
        if (event.action.type === "error" && error instanceof FhirError && error.kind === "gone") setGone(true);
        if (event.action.type === "success") setGone(false);
      }),
    [client],
  );

  const ask = useCallback(async (): Promise<void> => {
    try {
      const answer = await fetch("/ready", { cache: "no-store" });
      if (!answer.ok) return;
    } catch {
      return;
    }
    setGone(false);
    void client.refetchQueries({ type: "active", predicate: (query) => query.state.status === "error" });
  }, [client]);

  useEffect(() => {
    if (!gone) return undefined;
    const timer = window.setInterval(() => void ask(), ASK_AGAIN_MS);
    return () => window.clearInterval(timer);
  }, [gone, ask]);

  if (!gone) return null;
  return (
    <div className={styles.gone} role="alert">
      {t("shell.gone")}
      <Button size="compact-sm" variant="default" onClick={() => void ask()}>{t("shell.retryNow")}</Button>
    </div>
  );
}
