#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { runCli } from './cli.ts';
import { styleFor } from './format/style.ts';
import type { Stream } from './terminal.ts';

function streamOf(stream: NodeJS.WriteStream): Stream {
  // `head` has seen enough: that is no error.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  const isTerminal = stream.isTTY === true && process.env.TERM !== 'dumb';
  return {
    isTerminal,
    get columns() {
      return isTerminal ? stream.columns : undefined;
    },
    style: styleFor(isTerminal, process.env),
    writable: stream,
    write: (text) => new Promise((resolve) => stream.write(text, () => resolve())),
  };
}

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
const terminal = { out: streamOf(process.stdout), err: streamOf(process.stderr), env: process.env, version };
process.exitCode = await runCli(process.argv.slice(2), terminal);
