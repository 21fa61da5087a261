import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runPeer } from './program.ts';

/**
 * nginx as a reverse proxy, as its documentation shows it: with kept-alive connections, without a log. `plain` lets everything
 * through; `auth-request` asks a server for each request, the smallest there is in Node: it looks at nothing and says yes.
 */
const [origin = '', kind] = process.argv.slice(2);
const upstream = new URL(origin).host;

const user = 'WENDY166';
const decisions = kind === 'auth-request' ? await startDecisions() : null;
const gate =
  decisions === null
    ? { servers: '', ask: '', location: '' }
    : {
        servers: `upstream decisions { server 127.0.0.1:${decisions}; keepalive 64; keepalive_requests 100000000; }`,
        ask: 'auth_request /decision; auth_request_set $user $upstream_http_remote_user; proxy_set_header Remote-User $user;',
        location:
          'location = /decision { internal; proxy_pass http://decisions; proxy_pass_request_body off; proxy_set_header Content-Length ""; }',
      };

async function startDecisions(): Promise<number> {
  const server = createServer((request, response) => {
    if (!request.headers.cookie?.includes('session=')) return response.writeHead(401).end();
    response.writeHead(200, { 'remote-user': user, 'content-length': 0 }).end();
  });
  server.keepAliveTimeout = 120_000;
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const port = await runPeer({
  program: '/usr/sbin/nginx',
  args: (file, dir) => ['-c', file, '-p', dir, '-e', 'stderr', '-g', 'daemon off;'],
  config: (listen, dir) => `
worker_processes 1;
pid ${dir}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${dir}/${name};`).join(' ')}
  keepalive_requests 100000000;
  upstream legacy { server ${upstream}; keepalive 64; keepalive_requests 100000000; }
  ${gate.servers}
  server {
    listen 127.0.0.1:${listen};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    location / { ${gate.ask} proxy_pass http://legacy; }
    ${gate.location}
  }
}`,
});
process.send?.(decisions === null ? { port } : { port, peer: { user, host: '127.0.0.1', cookie: 'session=1' } });
