/** Coordinates [begin, end) of weights and intercept that one server has. */
export interface Segment {
  readonly begin: number;
  readonly end: number;
}

/** As even as it goes; no more servers than coordinates have any. */
export function segmentsOf(coordinates: number, servers: number): Segment[] {
  return Array.from({ length: servers }, (_, server) => ({
    begin: Math.floor((server * coordinates) / servers),
    end: Math.floor(((server + 1) * coordinates) / servers),
  }));
}
