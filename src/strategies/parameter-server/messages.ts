import type { Channel, Message } from '../../communicate/channel.ts';
import type { Push } from './push.ts';
import type { Reply } from './server.ts';

/** What workers and servers say to each other: a kind, numbers, and a vector. All as f64. */
export const KIND = { join: 1, push: 2, leave: 3, grant: 4, end: 5 } as const;

export interface Told {
  readonly kind: number;
  readonly head: Float64Array;
  readonly values: Float64Array;
}

const HEAD = 5;
/** Bytes of a message beside its vector. */
export const HEAD_BYTES = HEAD * 8;

async function tell(channel: Channel, generation: number, kind: number, head: readonly number[], values: Float64Array): Promise<number> {
  const numbers = new Float64Array(HEAD);
  numbers.set(head);
  const pieces = [new Uint8Array(numbers.buffer), new Uint8Array(values.buffer, values.byteOffset, values.byteLength)];
  await channel.send({ kind, generation, step: 0 }, pieces);
  return numbers.byteLength + values.byteLength;
}

export function told({ kind, body }: Message): Told {
  return {
    kind,
    head: new Float64Array(body.buffer, body.byteOffset, HEAD),
    values: new Float64Array(body.buffer, body.byteOffset + HEAD * 8, body.byteLength / 8 - HEAD),
  };
}

/** Longest body of these messages, in bytes. */
export function longestBody(coordinates: number): number {
  return (HEAD + coordinates) * 8;
}

const NOTHING = new Float64Array(0);

export function tellJoin(channel: Channel, generation: number): Promise<number> {
  return tell(channel, generation, KIND.join, [], NOTHING);
}

export function tellLeave(channel: Channel, generation: number): Promise<number> {
  return tell(channel, generation, KIND.leave, [], NOTHING);
}

/** `control`: rank 0's word, which ends the run at this server when it is not 0. `loss`: Σ v·loss of the rows. */
export function tellPush(channel: Channel, generation: number, push: Omit<Push, 'worker'>, loss: number, control: number): Promise<number> {
  const { sequence, version, rows, sums } = push;
  return tell(channel, generation, KIND.push, [sequence, version, rows, loss, control], sums);
}

export function pushOf(worker: number, { head, values }: Told): { push: Push; loss: number; control: number } {
  const [sequence, version, rows, loss, control] = head;
  return { push: { worker, sequence, version, rows, sums: values }, loss, control };
}

/** `rows`: applied so far; `loss`: Σ v·loss per row as pushed lately, NaN where unknown. */
export function tellReply(channel: Channel, generation: number, reply: Reply, rows: number, loss: number): Promise<number> {
  if (reply.kind === 'end') return tell(channel, generation, KIND.end, [], NOTHING);
  return tell(channel, generation, KIND.grant, [reply.sequence, reply.version, rows, loss], reply.weights);
}
