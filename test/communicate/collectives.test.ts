import { collectiveConformance } from './conformance.ts';
import { loopbackHost, meshHost } from './message-hosts.ts';
import { sharedHost } from './shared-host.ts';

collectiveConformance('messages by loopback', () => Promise.resolve(loopbackHost));
collectiveConformance('shared memory', sharedHost);
collectiveConformance('messages by unix sockets', () => meshHost('unix'));
collectiveConformance('messages by TCP with TLS', () => meshHost('tls'));
