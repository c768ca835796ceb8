/** Types of fields and elements in Thrift's compact protocol. */
export const THRIFT = { i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;

const encoder = new TextEncoder();

/**
 * Thrift's compact protocol, as far as Parquet's headers need it (github.com/apache/thrift,
 * doc/specs/thrift-compact-protocol.md): structs of whole numbers ≥ 0, texts, lists and structs, fields in ascending order.
 */
export class ThriftWriter {
  readonly #bytes: number[] = [];
  /** Number of the last field, for each struct that is open. */
  readonly #last: number[] = [0];

  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#bytes.push(rest);
  }

  /** Numbers are zigzag-coded: n ≥ 0 is 2n. */
  #number(value: number): void {
    this.#varint(value * 2);
  }

  #text(value: string): void {
    const bytes = encoder.encode(value);
    this.#varint(bytes.length);
    for (const byte of bytes) this.#bytes.push(byte);
  }

  /** Steps between the fields used here are at most 15. */
  #field(id: number, type: number): void {
    const depth = this.#last.length - 1;
    this.#bytes.push(((id - (this.#last[depth] as number)) << 4) | type);
    this.#last[depth] = id;
  }

  #list(id: number, type: number, length: number): void {
    this.#field(id, THRIFT.list);
    if (length < 15) this.#bytes.push((length << 4) | type);
    else {
      this.#bytes.push(0xf0 | type);
      this.#varint(length);
    }
  }

  i32(id: number, value: number): void {
    this.#field(id, THRIFT.i32);
    this.#number(value);
  }

  i64(id: number, value: number): void {
    this.#field(id, THRIFT.i64);
    this.#number(value);
  }

  text(id: number, value: string): void {
    this.#field(id, THRIFT.binary);
    this.#text(value);
  }

  struct(id: number, fields: () => void): void {
    this.#field(id, THRIFT.struct);
    this.#fields(fields);
  }

  #fields(fields: () => void): void {
    this.#last.push(0);
    fields();
    this.#last.pop();
    this.#bytes.push(0);
  }

  numbers(id: number, values: readonly number[]): void {
    this.#list(id, THRIFT.i32, values.length);
    for (const value of values) this.#number(value);
  }

  texts(id: number, values: readonly string[]): void {
    this.#list(id, THRIFT.binary, values.length);
    for (const value of values) this.#text(value);
  }

  structs<T>(id: number, values: readonly T[], fields: (value: T) => void): void {
    this.#list(id, THRIFT.struct, values.length);
    for (const value of values) this.#fields(() => fields(value));
  }

  /** Ends the outermost struct. */
  finish(): Uint8Array {
    return Uint8Array.from([...this.#bytes, 0]);
  }
}
