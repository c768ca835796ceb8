import type { OutColumn, OutValues, RowEncoder } from './row-format.ts';

/** A CSV field: in quotes where it must be. */
function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** CSV (RFC 4180 with line feeds): numbers with the fewest digits that read back as the same double. */
export class CsvRows implements RowEncoder {
  #head: string;

  constructor(columns: readonly OutColumn[]) {
    this.#head = `${columns.map(({ name }) => field(name)).join(',')}\n`;
  }

  *rows(columns: readonly OutValues[], count: number): Generator<Uint8Array> {
    let text = this.#head;
    this.#head = '';
    for (let i = 0; i < count; i += 1) {
      for (const [j, column] of columns.entries()) {
        const value = column[i] as number | string;
        text += (j === 0 ? '' : ',') + (typeof value === 'string' ? field(value) : value);
      }
      text += '\n';
    }
    if (text !== '') yield Buffer.from(text);
  }

  *end(): Generator<Uint8Array> {
    yield* this.rows([], 0);
  }
}
