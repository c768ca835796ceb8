import { collectiveConformance } from './conformance.ts';
import { loopbackHost } from './loopback-host.ts';
import { sharedHost } from './shared-host.ts';

collectiveConformance('messages by loopback', () => Promise.resolve(loopbackHost));
collectiveConformance('shared memory', sharedHost);
