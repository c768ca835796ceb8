import type { StreamChannel } from '../../communicate/streams/channel.ts';
import { CellReader } from '../../data/dataset/cells.ts';
import { openDataset } from '../../data/dataset/read.ts';
import { ParagradError } from '../../errors.ts';
import { NUMERICS_VERSION } from '../../partition/version.ts';
import type { DataSource } from '../../strategies/job.ts';
import type { CellsAnswer, CellsRequest } from '../worker/cells.ts';
import { decodePlain, encodePlain } from '../worker/plain.ts';
import { plainError } from '../worker/plain-error.ts';

/** Longest wait of a timer. */
const FOREVER_MS = 2 ** 31 - 1;

/** The coordinator's side of `fetchParts`: hands out cells, one chunk after the other, to a worker that does not see the folder. */
export class CellServer {
  readonly source: DataSource;
  readonly #channels = new Set<StreamChannel>();

  constructor(source: DataSource) {
    this.source = source;
  }

  /** Resolves when the worker wants no more, or is gone. */
  async serve(channel: StreamChannel): Promise<void> {
    this.#channels.add(channel);
    let reader: CellReader | undefined;
    try {
      for (;;) {
        const request = decodePlain<CellsRequest>(await channel.receive(FOREVER_MS));
        let answer: CellsAnswer;
        try {
          reader ??= new CellReader(await openDataset(this.source.folder, NUMERICS_VERSION));
          answer = request.kind === 'cells' ? { kind: 'cells', cells: await reader.read(request) } : this.#facts(reader, request.id);
        } catch (error) {
          answer = { kind: 'failed', error: plainError(error) };
        }
        await channel.send({ kind: 0, generation: 0, step: 0 }, encodePlain(answer));
      }
    } catch {
      // It has what it wanted, or is lost: then its other connections say so.
    } finally {
      this.#channels.delete(channel);
      await channel.close();
      await reader?.close();
    }
  }

  #facts({ facts }: CellReader, id: string): CellsAnswer {
    if (id === this.source.id) return { kind: 'facts', facts };
    throw new ParagradError('PARAGRAD_DATASET_MIXED', `dataset ${id} is not the one of this run`, { place: { file: this.source.folder } });
  }

  close(): void {
    for (const channel of this.#channels) void channel.close();
  }
}
