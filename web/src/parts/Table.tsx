import type { ReactNode } from "react";
import styles from "./Table.module.css";

export interface Column {
  key: string;
  title: string;
  width?: string; // as CSS; where there is room for columns
  end?: boolean; // at the far edge: numbers, buttons
}

export interface Row {
  key: string;
  cells: ReactNode[]; // one a column; the first names the row
  below?: ReactNode; // unfolded under the row
}

/** A table where there is room; on a phone each row is a card and each cell says what it is. */
export function Table({ label, columns, rows }: { label: string; columns: Column[]; rows: Row[] }): ReactNode {
  return (
    <table className={styles.table} aria-label={label}>
      <colgroup>
        {columns.map((column) => <col key={column.key} style={{ width: column.width }} />)}
      </colgroup>
      <thead>
        <tr>
          {columns.map((column) => <th key={column.key} scope="col" data-end={column.end}>{column.title}</th>)}
        </tr>
      </thead>
      {rows.map((row) => (
        <tbody key={row.key} data-row={row.key}>
          <tr>
            {row.cells.map((cell, at) => {
              const column = columns[at]!;
              const content = <><span className={styles.label} aria-hidden="true">{column.title}</span>{cell}</>;
              return at === 0
                ? <th key={column.key} scope="row">{cell}</th>
                : <td key={column.key} data-end={column.end} data-empty={cell === null || undefined}>{content}</td>;
            })}
          </tr>
          {row.below && <tr><td colSpan={columns.length} className={styles.below}>{row.below}</td></tr>}
        </tbody>
      ))}
    </table>
  );
}
