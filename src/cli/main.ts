#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { runCli } from './cli.ts';
import { styleFor } from './format/style.ts';
import type { Stream } from './terminal.ts';

function streamOf(stream: NodeJS.WriteStream): Stream {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // `head` has seen enough: that is no error.
    if (error.code === 'EPIPE') process.exit();
    if (stream !== process.stderr) process.stderr.write(`error: results cannot be written: ${error.message} [PARAGRAD_OUT]\n`);
    process.exit(1);
  });
  const isTerminal = stream.isTTY === true && process.env.TERM !== 'dumb';
  return {
    isTerminal,
    get columns() {
      // Some pseudo terminals say 0: they do not know.
      return isTerminal && stream.columns > 0 ? stream.columns : undefined;
    },
    style: styleFor(isTerminal, process.env),
    writable: stream,
    write: (text) => new Promise((resolve) => stream.write(text, () => resolve())),
  };
}

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
/** A command that is suggested must work where it is read. */
const COMMANDS: Readonly<Record<string, string>> = { start: 'npm start --', npx: 'npx paragrad' };
const command = COMMANDS[process.env.npm_lifecycle_event ?? ''] ?? 'paragrad';
const terminal = { out: streamOf(process.stdout), err: streamOf(process.stderr), env: process.env, version, command };
process.exitCode = await runCli(process.argv.slice(2), terminal);
