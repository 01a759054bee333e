import { Button, Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { useLanguage } from "../i18n";
import { NO_BANNER } from "../theme/theme";

interface Question {
  title: string;
  text: string;
  yes: string;
  danger?: boolean;
  busy?: boolean;
  onYes: () => void;
  onNo: () => void;
  children?: ReactNode; // what went wrong with the last yes
}

/** Asks before something is done. Escape and a press beside it mean no. */
export function Confirm({ title, text, yes, danger, busy, onYes, onNo, children }: Question): ReactNode {
  const { t } = useLanguage();
  return (
    <Modal opened onClose={onNo} title={title} centered closeButtonProps={{ "aria-label": t("confirm.no") }} attributes={NO_BANNER}>
      <p style={{ marginTop: 0 }} className="wrap">{text}</p>
      {children}
      <div style={{ display: "flex", gap: "0.6rem", justifyContent: "flex-end", marginTop: "1rem" }}>
        <Button variant="default" onClick={onNo}>{t("confirm.no")}</Button>
        <Button color={danger ? "red.9" : undefined} loading={busy} onClick={onYes} data-autofocus>{yes}</Button>
      </div>
    </Modal>
  );
}
