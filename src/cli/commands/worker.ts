import process from 'node:process';
import { DEFAULT_PORT, hostAndPort } from '../../engines/machines/address.ts';
import { joinRun } from '../../engines/machines/join.ts';
import { readKey } from '../../engines/machines/key-file.ts';
import { listenForRuns } from '../../engines/machines/listen.ts';
import { ParagradError } from '../../errors.ts';
import type { WorkerFlags } from '../flags.ts';
import { noteText } from '../format/error.ts';
import { type Terminal, textWidth } from '../terminal.ts';

const WAIT_SECONDS = 300;
const MOST_PLACES = 1024;
/** What a program that was ended by a signal says to its shell. */
const EXIT = { SIGINT: 130, SIGTERM: 143 } as const;

/** `paragrad worker`. @returns the exit code: of `--listen` 0 when it is told to end */
export async function workerCommand(flags: WorkerFlags, terminal: Terminal): Promise<number> {
  const { join, listen, workers = 1, advertise, keyFile, wait = WAIT_SECONDS } = flags;
  if (join !== undefined && listen !== undefined)
    throw wrong('--join', '--join works for one run, and --listen for all that come: choose one');
  if (join === undefined && listen === undefined)
    throw wrong('--join', 'worker needs --join HOST:PORT, for one run, or --listen, for all that come');
  if (flags.wait !== undefined && join === undefined)
    throw wrong('--wait', '--wait is for --join: leave it out with --listen, which waits until it is told to end');
  if (!(workers >= 1 && workers <= MOST_PLACES))
    throw wrong('--workers', `--workers must be a whole number from 1 to ${MOST_PLACES}, not ${workers}`);
  if (!(wait > 0)) throw wrong('--wait', `--wait must be a time above 0, not ${wait}`);
  const stop = new AbortController();
  const { err } = terminal;
  const common = {
    key: readKey(keyFile, terminal.env),
    places: workers,
    advertise: advertise === undefined ? undefined : advertised(advertise),
    log: (text: string) => void err.write(noteText(text, err.isTerminal ? textWidth(err) : undefined, err.style)),
    signal: stop.signal,
  };
  return untilSignal(stop, async () => {
    if (join !== undefined) await joinRun({ ...common, address: hostAndPort('--join', join), waitMs: wait * 1000 });
    else await listenForRuns({ ...common, address: hostAndPort('--listen', listen === true ? `:${DEFAULT_PORT}` : String(listen)) });
  });
}

function wrong(option: string, message: string): ParagradError {
  return new ParagradError('PARAGRAD_OPTION', message, { place: { option } });
}

/** A host, with the first of the ports that its workers listen at, where it shall not be any. */
function advertised(text: string): { host: string; port: number } {
  const { host, port } = hostAndPort('--advertise', /:\d+$/u.test(text) ? text : `${text}:0`);
  return { host, port };
}

/** Ctrl-C, and what ends services, end the work cleanly; a second signal has its usual effect. */
async function untilSignal(stop: AbortController, work: () => Promise<void>): Promise<number> {
  let came: keyof typeof EXIT | undefined;
  const end = (signal: NodeJS.Signals): void => {
    came = signal as keyof typeof EXIT;
    forget();
    stop.abort();
  };
  const forget = (): void => {
    for (const signal of Object.keys(EXIT)) process.removeListener(signal, end);
  };
  for (const signal of Object.keys(EXIT)) process.on(signal, end);
  try {
    await work();
    return 0;
  } catch (error) {
    if (came !== undefined && stop.signal.aborted) return EXIT[came];
    throw error;
  } finally {
    forget();
  }
}
