/**
 * What data are read from: a file, or what an address holds. A kind of place is a `Storage`, and a line in location.ts.
 */
export interface Source {
  /** Bytes. */
  readonly size: number;
  /**
   * Fills `into` with the bytes from `at` on; several reads at a time are allowed.
   *
   * @throws PARAGRAD_REMOTE, or the system's error; Error when the source ends before
   */
  read(into: Uint8Array, at: number): Promise<void>;
  close(): Promise<void>;
}

/** A whole source from its first byte to its last. */
export interface Stream {
  /** Undefined where nobody says. */
  readonly size: number | undefined;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** One kind of place. */
export interface Storage {
  /** For reads at any place. @throws PARAGRAD_FILE when there is no such thing; PARAGRAD_REMOTE, or the system's error */
  open(location: string): Promise<Source>;
  /** @throws as `open` */
  stream(location: string, signal?: AbortSignal): Promise<Stream>;
}
