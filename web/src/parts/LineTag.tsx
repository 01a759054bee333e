import type { ReactNode } from "react";
import type { Line } from "../fhir/events";
import { useLanguage } from "../i18n";

/** Whether what is shown moves by itself. */
export function LineTag({ line }: { line: Line }): ReactNode {
  const { t } = useLanguage();
  return (
    <span className="line no-print" data-line={line} role="status">
      <span aria-hidden="true">●</span> {t(`line.${line}`)}
    </span>
  );
}
