/** In which pieces the sums of a `gram` pass are made, and where each lies among all of them. */

/**
 * Bytes of a piece: a rank holds about one vector of a piece per level of the tree over its chunks, and the whole matrix is half a
 * gigabyte where it is largest.
 */
const PIECE_BYTES = 2 * 1024 ** 2;

/** Rows [begin, end) of the lower triangle of an output, whose entries stand from `at` on in the vector of a piece. */
export interface GramRows {
  readonly output: number;
  readonly begin: number;
  readonly end: number;
  readonly at: number;
}

/** Elements [begin, end) of all sums: with the head or without, then rows of triangles. */
export interface GramPiece {
  readonly begin: number;
  readonly end: number;
  readonly hasHead: boolean;
  readonly rows: readonly GramRows[];
}

const triangle = (rows: number): number => (rows * (rows + 1)) / 2;

/**
 * All sums, one after the other: the head (Σv·u, Σc of every output, Σc·x of every output), then the lower triangle of every
 * output by rows. They are made in rounds, since a rank that holds its tree nodes of the whole matrix holds it several times; in a
 * round each of the ranks that share rows (`members`: those of a column split) makes a piece, so that all work on every chunk. A
 * function of the shape alone: the same on all ranks.
 */
export class GramPlan {
  readonly outputs: number;
  readonly columns: number;
  readonly rounds: number;
  readonly #members: number;
  /** Rows of triangles, output after output, at which pieces begin, and their number. */
  readonly #borders: readonly number[];

  constructor(shape: { readonly outputs: number; readonly columns: number; readonly members: number }, pieceBytes = PIECE_BYTES) {
    const { outputs, columns, members } = shape;
    this.outputs = outputs;
    this.columns = columns;
    this.#members = members;
    const entries = outputs * triangle(columns);
    this.rounds = Math.max(1, Math.ceil((entries * 8) / (members * pieceBytes)));
    const pieces = this.rounds * members;
    const borders = [0];
    // A piece ends with the row in which it has its share: none is longer than that and a row.
    for (let row = 0; row < outputs * columns && borders.length < pieces; row += 1)
      while (borders.length < pieces && this.#entriesBefore(row + 1) >= (entries * borders.length) / pieces) borders.push(row + 1);
    while (borders.length <= pieces) borders.push(outputs * columns);
    this.#borders = borders;
  }

  /** Row scalars ahead of the columns: Σv·u, and Σc of every output. */
  get scalars(): number {
    return 1 + this.outputs;
  }

  /** Row scalars and column sums. */
  get head(): number {
    return this.scalars + this.outputs * this.columns;
  }

  get length(): number {
    return this.head + this.outputs * triangle(this.columns);
  }

  /** Elements [begin, end) that a round makes. */
  range(round: number): { begin: number; end: number } {
    return { begin: this.#at(round * this.#members), end: this.#at((round + 1) * this.#members) };
  }

  /** What a member makes in a round. */
  piece(round: number, member: number): GramPiece {
    const index = round * this.#members + member;
    const [begin, end] = [this.#at(index), this.#at(index + 1)];
    const rows: GramRows[] = [];
    const last = this.#borders[index + 1] as number;
    for (let row = this.#borders[index] as number; row < last; ) {
      const output = Math.floor(row / this.columns);
      const first = output * this.columns;
      const stop = Math.min(last, first + this.columns);
      rows.push({ output, begin: row - first, end: stop - first, at: this.head + this.#entriesBefore(row) - begin });
      row = stop;
    }
    return { begin, end, hasHead: index === 0, rows };
  }

  /** Elements of the longest piece. */
  get longest(): number {
    let longest = 0;
    for (let index = 0; index + 1 < this.#borders.length; index += 1) longest = Math.max(longest, this.#at(index + 1) - this.#at(index));
    return longest;
  }

  /** Where a piece begins; the head belongs to the first. */
  #at(index: number): number {
    return index === 0 ? 0 : this.head + this.#entriesBefore(this.#borders[index] as number);
  }

  /** Entries of all triangles' rows before this one. */
  #entriesBefore(row: number): number {
    if (this.columns === 0) return 0;
    const output = Math.floor(row / this.columns);
    return output * triangle(this.columns) + triangle(row - output * this.columns);
  }
}
