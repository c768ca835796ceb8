import { ParagradError } from '../../errors.ts';

/** Bytes that are not a frame, or a damaged one. It closes the channel that they came from, and no other. */
export function badFrame(what: string, rank?: number): ParagradError {
  const from = rank === undefined ? '' : ` (from rank ${rank})`;
  return new ParagradError('PARAGRAD_FRAME', `frame: ${what}${from}`, rank === undefined ? {} : { place: { rank } });
}

export function notAFrame(): ParagradError {
  return badFrame('these bytes are not a frame: something that is not paragrad is speaking');
}

/** Whole and undamaged, but of another version: so it is the program that is wrong, not the bytes. */
export function otherVersion(theirs: number, own: number): ParagradError {
  const text = `the other side speaks version ${theirs} of the protocol, this one version ${own}: install the same paragrad`;
  return new ParagradError('PARAGRAD_HELLO', text);
}
