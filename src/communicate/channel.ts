/**
 * The contract of a channel: ordered messages between two ranks, each delivered once. It can be carried by frames on a
 * stream: a fixed header, then raw bytes.
 */
export interface MessageHeader {
  /** What the body is: the receiver's business, a whole number of 0 … 255. */
  readonly kind: number;
  /** Restarts of the group so far, and the number of the operation in it. */
  readonly generation: number;
  readonly step: number;
  /** Counts the messages of this direction of the channel from 0, so that a lost or doubled one is noticed. */
  readonly sequence: number;
}

export interface Message extends MessageHeader {
  /** The receiver's own; its byteOffset is a multiple of 8 (where it was not placed), so that f32 and f64 can be read in place. */
  readonly body: Uint8Array;
}

export type BodyPlace = (header: MessageHeader, bytes: number) => Uint8Array | undefined;

/**
 * Errors: PARAGRAD_TIMEOUT when nothing came within the deadline, PARAGRAD_PEER_LOST when the peer's end is gone or closed
 * (messages that came before are still received, in order), PARAGRAD_CLOSED when the own end is closed.
 */
export interface Channel {
  /** Rank at the other end. */
  readonly peer: number;

  /**
   * Sends one message, its body in pieces, so that large arrays need not be copied together. Resolves when the pieces may
   * be changed again and more may be sent; not when the peer has received it.
   */
  send(header: Omit<MessageHeader, 'sequence'>, pieces: readonly Uint8Array[]): Promise<void>;

  /** The next message. One call at a time. */
  receive(timeoutMs: number): Promise<Message>;

  /**
   * Who decides, when the head of a message has come, where its body is written: an array of exactly its length; undefined: a new
   * one. Saves copies and memory where bodies are large. Channels that cannot do it have new bodies always.
   */
  placeBodies?(place: BodyPlace): void;

  /** Closes both directions. The peer receives what was sent before. */
  close(): Promise<void>;
}
