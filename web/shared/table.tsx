/** Rows under named columns; on a phone each row is a card whose lines are its cells. */
import type { ComponentChildren } from 'preact';

export interface Column<R> {
  name: string;
  cell: (row: R) => ComponentChildren;
  /** Numbers stand at the right. */
  right?: boolean;
}

interface TableProps<R> {
  columns: readonly Column<R>[];
  rows: readonly R[];
  keyOf: (row: R) => string | number;
}

/** Roles are named, for browsers forget them where a table is not laid out as one. */
export function Table<R>({ columns, rows, keyOf }: TableProps<R>) {
  const side = ({ right }: Column<R>) => (right === true ? 'right' : '');
  return (
    <div class="scroll" tabIndex={0}>
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th key={column.name} role="columnheader" scope="col" class={side(column)}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={keyOf(row)} role="row">
              {columns.map((column) => (
                <td key={column.name} role="cell" class={side(column)} data-name={column.name}>
                  <Cell>{column.cell(row)}</Cell>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** One part, however many are in it, beside its name on a phone; a cell without anything is left out there. */
function Cell({ children }: { children?: ComponentChildren }) {
  return children === undefined || children === null || children === '' ? null : <div>{children}</div>;
}
