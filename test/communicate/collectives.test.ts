import { collectiveConformance } from './conformance.ts';
import { linkHost, loopbackHost, meshHost } from './message-hosts.ts';
import { sharedHost } from './shared-host.ts';

collectiveConformance('messages by loopback', () => Promise.resolve(loopbackHost()));
collectiveConformance('client and server by loopback, 2 reducers', () => Promise.resolve(loopbackHost({ reducers: 2 })));
collectiveConformance('shared memory', sharedHost);
collectiveConformance('messages by unix sockets', () => meshHost('unix'));
collectiveConformance('messages by TCP with TLS', () => meshHost('tls'));
collectiveConformance('client and server by unix sockets', () => meshHost('unix', { reducers: 1 }));
collectiveConformance('messages over links', () => Promise.resolve(linkHost()));
collectiveConformance('three groups by loopback', () => Promise.resolve(loopbackHost({ algorithm: 'hierarchical', groups: 3 })));
collectiveConformance('groups of neighbours by unix sockets', () => meshHost('unix', { algorithm: 'hierarchical' }));
