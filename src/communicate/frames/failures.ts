import { ParagradError } from '../../errors.ts';

/** Bytes that are not a frame, or a damaged one. It closes the channel that they came from, and no other. */
export function badFrame(what: string, rank?: number): ParagradError {
  const from = rank === undefined ? '' : ` (from rank ${rank})`;
  return new ParagradError('PARAGRAD_FRAME', `frame: ${what}${from}`, rank === undefined ? {} : { place: { rank } });
}

export function notAFrame(): ParagradError {
  return badFrame('these bytes are not a frame: something that is not paragrad is speaking');
}
