import type { OutColumn, OutValues, RowEncoder } from './row-format.ts';

/** Lines of JSON, one object per row. */
export class JsonRows implements RowEncoder {
  readonly #keys: readonly string[];

  constructor(columns: readonly OutColumn[]) {
    this.#keys = columns.map(({ name }, j) => `${j === 0 ? '{' : ','}${JSON.stringify(name)}:`);
  }

  *rows(columns: readonly OutValues[], count: number): Generator<Uint8Array> {
    let text = '';
    for (let i = 0; i < count; i += 1) {
      for (const [j, column] of columns.entries()) {
        const value = column[i] as number | string;
        text += this.#keys[j] + (typeof value === 'string' ? JSON.stringify(value) : String(value));
      }
      text += '}\n';
    }
    if (text !== '') yield Buffer.from(text);
  }

  end(): Uint8Array[] {
    return [];
  }
}
