import { type Compression, parseCompression } from '../communicate/compressed.ts';
import { parseLinkDelay, parseLinkRate } from '../communicate/link.ts';
import type { EngineOptions } from '../engines/engine.ts';
import { ParagradError } from '../errors.ts';
import type { TrainOptions } from './train-options.ts';

/** Options of the connections between processes, and of what moves on them. */
type Given = Pick<TrainOptions, 'linkDelay' | 'linkRate' | 'compress' | 'optimizer' | 'lineSearch' | 'l2'> & {
  readonly strategy?: string | undefined;
};

/** Their step is made of the gradient alone (docs/algorithms.md). */
const TAKE_COMPRESSED: readonly string[] = ['gradient-descent', 'momentum'];

/** @throws PARAGRAD_OPTION */
export function checkLinkOptions(options: Given): void {
  linkOptionsOf(options);
  const { compress, optimizer = 'auto', lineSearch, l2, strategy = 'map-reduce' } = options;
  if (compress === undefined) return;
  const wrong = (message: string): ParagradError => new ParagradError('PARAGRAD_OPTION', message, { place: { option: '--compress' } });
  if (strategy !== 'map-reduce') throw wrong(`--compress is for --strategy map-reduce, not ${strategy}: leave one of them out`);
  if (!TAKE_COMPRESSED.includes(optimizer))
    throw wrong(`--compress gives other sums, which --optimizer ${optimizer} cannot use: use one of ${TAKE_COMPRESSED.join(', ')}`);
  if (lineSearch === 'backtracking')
    throw wrong('--compress gives other gradients than the losses that --line-search backtracking compares: leave one of them out');
  if (l2 === 'auto') throw wrong('--compress is for one penalty: --l2 auto trains many side by side: give --l2 a number');
}

/** What the options say to the engine. @throws PARAGRAD_OPTION */
export function linkOptionsOf({ linkDelay, linkRate, compress }: Given): Pick<EngineOptions, 'link' | 'compress'> {
  const compression: Compression | undefined = compress === undefined ? undefined : parseCompression(compress);
  const link = {
    delayMs: linkDelay === undefined ? undefined : parseLinkDelay(linkDelay),
    bytesPerSecond: linkRate === undefined ? undefined : parseLinkRate(linkRate),
  };
  const isLink = linkDelay !== undefined || linkRate !== undefined;
  return { ...(isLink ? { link } : {}), ...(compression === undefined ? {} : { compress: compression }) };
}
