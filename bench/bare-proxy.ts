import type { AddressInfo } from 'node:net';
import httpProxy from '@fastify/http-proxy';
import fastify from 'fastify';

/** The plugin as its documentation shows it: everything is let through, nothing is asked. */
const [upstream = ''] = process.argv.slice(2);
const app = fastify();
await app.register(httpProxy, { upstream });
await app.listen({ port: 0, host: '127.0.0.1' });

process.send?.({ port: (app.server.address() as AddressInfo).port });
process.once('disconnect', () => process.exit(0));
