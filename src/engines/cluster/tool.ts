import { spawn } from 'node:child_process';

export interface ToolResult {
  /** 0 when all went well; -1 when it could not be started. */
  readonly code: number;
  /** The last lines of both outputs. */
  readonly tail: string;
}

const TAIL_LINES = 30;

/** Runs a program and hears its lines. Ends it on abort, and after `timeoutMs`. No shell is involved. */
export function runTool(
  command: string,
  args: readonly string[],
  options: { onLine?: (line: string) => void; env?: NodeJS.ProcessEnv; timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<ToolResult> {
  const { onLine = () => undefined, env = process.env, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL', signal });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text: string) => {
        const parts = (rest + text).split(/[\r\n]+/u);
        rest = (parts.pop() as string).slice(-10_000);
        for (const line of parts) {
          onLine(line);
          lines.push(line);
        }
        lines.splice(0, Math.max(0, lines.length - TAIL_LINES));
      });
    }
    child.on('error', (error) => {
      if (signal?.aborted === true) reject(signal.reason);
      else resolve({ code: -1, tail: error.message });
    });
    child.on('close', (code) => resolve({ code: code ?? 1, tail: lines.join('\n') }));
  });
}
