import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { request } from 'undici';
import { runPeer } from './program.ts';

/**
 * LemonLDAP::NG as Debian packages it: nginx asks its FastCGI server (seven workers) about each request, which looks up the session
 * and evaluates a rule. Somebody of its demo accounts signs in at its portal first.
 */
const [origin = ''] = process.argv.slice(2);
const user = 'dwho';
const host = 'test1.example.com';
const portal = 'auth.example.com';
// It refuses to run as root, and reads what Debian gave to the web server's user.
const wwwData = 33;

const dir = mkdtempSync(join(tmpdir(), 'portal-lemonldap-'));
const socket = join(dir, 'llng.sock');
const asWebServer = process.getuid?.() === 0 ? { uid: wwwData, gid: wwwData } : {};
writeConfiguration();
const server = spawn(
  '/usr/sbin/llng-fastcgi-server',
  ['--foreground', '-s', socket, '-p', join(dir, 'llng.pid'), '-u', 'www-data', '-g', 'www-data'],
  {
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH,
      LLNG_DEFAULTCONFFILE: join(dir, 'lemonldap-ng.ini'),
      LLNG_DEFAULTLOGGER: 'Lemonldap::NG::Common::Logger::Std',
    },
  },
);
process.once('exit', () => server.kill('SIGTERM'));

/** Debian's own configuration in a folder of our own, with one rule for one host, and the name of who is there for the page. */
function writeConfiguration(): void {
  const known = '/var/lib/lemonldap-ng';
  for (const name of ['conf', 'sessions', 'sessions/lock', 'psessions', 'psessions/lock', 'cache', 'notifications', 'captcha'])
    mkdirSync(join(dir, name), { recursive: true });
  const config = JSON.parse(readFileSync(`${known}/conf/lmConf-1.json`, 'utf8').replaceAll(known, dir));
  config.locationRules[host] = { default: 'inGroup("timelords") or $uid eq "rtyler"' };
  config.exportedHeaders[host] = { 'Remote-User': '$uid' };
  writeFileSync(join(dir, 'conf/lmConf-1.json'), JSON.stringify(config));
  writeFileSync(join(dir, 'lemonldap-ng.ini'), readFileSync('/etc/lemonldap-ng/lemonldap-ng.ini', 'utf8').replaceAll(known, dir));
  if (asWebServer.uid === undefined) return;
  for (const name of [
    '',
    'conf',
    'conf/lmConf-1.json',
    'sessions',
    'sessions/lock',
    'psessions',
    'psessions/lock',
    'cache',
    'notifications',
    'captcha',
    'lemonldap-ng.ini',
  ])
    chownSync(join(dir, name), wwwData, wwwData);
}

// Seven Perl processes take their time to be there.
while (!existsSync(socket) && server.exitCode === null) await setTimeout(50);

const port = await runPeer({
  ...{ program: '/usr/sbin/nginx', dir, beside: server },
  args: (file, at) => ['-c', file, '-p', at, '-e', 'stderr', '-g', 'daemon off;'],
  config: (listen, at) => `
${asWebServer.uid === undefined ? '' : 'user www-data;'}
worker_processes 1;
pid ${at}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${at}/${name};`).join(' ')}
  keepalive_requests 100000000;
  upstream legacy { server ${new URL(origin).host}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${listen};
    server_name ${portal};
    location / {
      include /etc/nginx/fastcgi_params;
      fastcgi_pass unix:${socket};
      fastcgi_param LLTYPE psgi;
      fastcgi_param SCRIPT_NAME "";
      fastcgi_param SCRIPT_FILENAME /usr/share/lemonldap-ng/portal/htdocs/index.psgi;
      fastcgi_param PATH_INFO $uri;
    }
  }
  server {
    listen 127.0.0.1:${listen};
    server_name ${host};
    location = /lmauth {
      internal;
      include /etc/nginx/fastcgi_params;
      fastcgi_pass unix:${socket};
      fastcgi_pass_request_body off;
      fastcgi_param CONTENT_LENGTH "";
      fastcgi_param HOST $http_host;
      fastcgi_param X_ORIGINAL_URI $original_uri;
    }
    location / {
      set $original_uri $uri$is_args$args;
      auth_request /lmauth;
      auth_request_set $user $upstream_http_remote_user;
      proxy_set_header Remote-User $user;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_pass http://legacy;
    }
  }
}`,
});
process.send?.({ port, peer: { user, host, cookie: await signIn() } });

/** The portal's form, with the token it carries. */
async function signIn(): Promise<string> {
  const ask = (method: 'GET' | 'POST', body: string | null) =>
    request(`http://127.0.0.1:${port}/`, {
      method,
      headers: { host: portal, accept: 'text/html', ...(body === null ? {} : { 'content-type': 'application/x-www-form-urlencoded' }) },
      body,
    });
  const form = await ask('GET', null);
  const token = /name="token" value="([^"]+)"/.exec(await form.body.text())?.[1];
  const { headers, body } = await ask('POST', new URLSearchParams({ user, password: user, ...(token ? { token } : {}) }).toString());
  const text = await body.text();
  const cookie = [headers['set-cookie'] ?? []].flat().find(set => set.startsWith('lemonldap='));
  if (!cookie)
    throw new Error(
      `LemonLDAP::NG let nobody in: ${text
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .slice(0, 300)}`,
    );
  return cookie.split(';', 1)[0]!;
}
