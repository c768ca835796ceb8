import type { Collective } from '../../src/communicate/collective.ts';
import { createLoopbackChannels } from '../../src/communicate/loopback/channel.ts';
import { createMessageCollective } from '../../src/communicate/messages/collective.ts';
import { type Host, play } from './script.ts';

/** All ranks in this thread, speaking by messages. */
export const loopbackHost: Host = {
  name: 'loopback',
  messagesOf: (size, isSmall) => (isSmall ? 1 : 2) * (size - 1),
  bytesOf: (size, isSmall, { parts, own, segment }) => (isSmall ? (size - 1) * parts : parts - own + (size - 1) * segment),
  async run(calls, options = {}) {
    const groups = options.groups ?? [calls.map((_, member) => member)];
    const collectives: (Collective | undefined)[][] = calls.map(() => []);
    for (const [group, members] of groups.entries()) {
      const channels = createLoopbackChannels(members.length);
      for (const [rank, member] of members.entries())
        (collectives[member] as (Collective | undefined)[])[group] = createMessageCollective(rank, channels[rank] ?? [], {
          generation: options.generations?.[member] ?? 0,
          step: options.steps?.[member] ?? 0,
          timeoutMs: options.timeoutMs ?? 20_000,
        });
    }
    return Promise.all(
      calls.map(async (script, member) => {
        const own = collectives[member] as (Collective | undefined)[];
        const outcomes = await play(script, own);
        // The system closes the channels of a process that is gone.
        if (script.at(-1)?.do === 'die') await Promise.all(own.map((collective) => collective?.close()));
        return outcomes;
      }),
    );
  },
  end: () => Promise.resolve(),
};
