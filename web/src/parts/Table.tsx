import type { Key, ReactNode } from "react";

export type Column<Row> = { name: string; cell: (row: Row) => ReactNode; isNumber?: boolean };

type Props<Row> = { label: string; rows: Row[]; columns: Column<Row>[]; keyOf: (row: Row) => Key };

/** A table; a list of cards where there is no room for columns. The roles stay what they are. */
export function Table<Row>({ label, rows, columns, keyOf }: Props<Row>) {
  const look = (column: Column<Row>) => (column.isNumber ? "number" : undefined);
  return (
    // biome-ignore-start lint/a11y/noRedundantRoles: styled as blocks on a phone, they would lose their roles
    // biome-ignore-start lint/a11y/useSemanticElements: as above
    <table className="table" aria-label={label} role="table">
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.name} scope="col" role="columnheader" className={look(column)}>
              {column.name || <span className="hidden">Actions</span>}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row">
            {columns.map((column) => (
              <td key={column.name} role="cell" className={look(column)} data-name={column.name || undefined}>
                <span>{column.cell(row)}</span>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
    // biome-ignore-end lint/a11y/useSemanticElements: as above
    // biome-ignore-end lint/a11y/noRedundantRoles: as above
  );
}
