import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as sendHttps } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { parse } from 'yaml';
import { settingsTable } from '#config/settings-table.ts';
import { root } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';
import { startServer } from '#tests/legacy-wire.ts';
import { programOf } from '#tests/servers.ts';

// The samples of config/deploy, as they stand but for their addresses and folders, on the real programs.
const sample = (name: string) => readFileSync(join(root, 'config/deploy', name), 'utf8');

let dir: string;
let gateway: ChildProcess;
let legacy: Awaited<ReturnType<typeof startServer>>;
let told: (string | undefined)[] = [];
const ports = { gateway: 0, operations: 0 };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'portal-deploy-'));
  legacy = await startServer((request, response) => {
    told.push(request.headers['x-forwarded-for'] as string | undefined);
    response.end('well');
  });
  const chat = new WebSocketServer({ noServer: true });
  legacy.server.on('upgrade', (request, socket, head) =>
    chat.handleUpgrade(request, socket, head, client => client.on('message', data => client.send(String(data)))),
  );
  const catalogue = join(dir, 'services.yaml');
  writeFileSync(
    catalogue,
    readFileSync(join(root, 'config/services.yaml'), 'utf8').replace('http://www-origin.hants.gov.uk', legacy.origin),
  );
  Object.assign(ports, { gateway: await freePort(), operations: await freePort() });
  const env = { PORT: String(ports.gateway), OPERATIONS_PORT: String(ports.operations), CATALOGUE: catalogue, DATA_DIR: join(dir, 'data') };
  gateway = await startGateway(env);
  const subject = ['-subj', '/CN=portal.hants.gov.uk', '-keyout', 'portal.key', '-out', 'portal.crt'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject], { cwd: dir, stdio: 'pipe' });
  writeFileSync(join(dir, 'portal.pem'), readFileSync(join(dir, 'portal.crt'), 'utf8') + readFileSync(join(dir, 'portal.key'), 'utf8'));
});
afterAll(async () => {
  await stopGateway(gateway);
  await legacy.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A proxy in front, with what it says and logs. */
type Proxy = { port: number; said(): string; stop(): Promise<void> };

async function start(port: number, program: string, args: string[], logFile?: string): Promise<Proxy> {
  const child = spawn(program, args, { cwd: dir });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (said += chunk));
  const isThere = async () => {
    const { status } = await ask(port, '/sign-in').catch((error: Error) => ({ status: error.message }));
    if (status !== 200) throw new Error(`${status}: ${said}`);
  };
  await vi.waitFor(isThere, { timeout: 60_000, interval: 200 });
  return {
    port,
    said: () => said + (logFile ? readFileSync(logFile, 'utf8') : ''),
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      process.off('exit', kill);
    },
  };
}

async function startNginx(): Promise<Proxy> {
  const logFile = join(dir, 'nginx.log');
  const port = await freePort();
  const site = sample('nginx.conf')
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('127.0.0.1:8080', `127.0.0.1:${ports.gateway}`)
    .replace('/etc/ssl/portal.pem', join(dir, 'portal.crt'))
    .replace('/etc/ssl/portal.key', join(dir, 'portal.key'))
    .replace('/var/log/nginx/portal.log', logFile);
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const around = `${user} daemon off; pid ${dir}/nginx.pid; error_log stderr; events {} http { client_body_temp_path ${dir}/body; ${site} }`;
  writeFileSync(join(dir, 'nginx.conf'), around);
  return start(port, programOf('nginx-light'), ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr'], logFile);
}

async function startHaproxy(): Promise<Proxy> {
  const port = await freePort();
  const config = sample('haproxy.cfg')
    .replace('bind :443', `bind 127.0.0.1:${port}`)
    .replace('127.0.0.1:8080 check port 9090', `127.0.0.1:${ports.gateway} check port ${ports.operations}`)
    .replace('/etc/haproxy/portal.pem', join(dir, 'portal.pem'));
  writeFileSync(join(dir, 'haproxy.cfg'), config);
  return start(port, programOf('haproxy'), ['-f', join(dir, 'haproxy.cfg')]);
}

type Headers = Record<string, string>;
async function ask(port: number, path: string, headers: Headers = {}, host = 'portal.hants.gov.uk') {
  const tls = { servername: host, rejectUnauthorized: false, agent: false } as const;
  const request = sendHttps({ port, host: '127.0.0.1', path, headers: { host, ...headers }, ...tls }).end();
  const [answer] = await once(request, 'response');
  let body = '';
  for await (const chunk of answer) body += chunk;
  return { status: answer.statusCode as number, headers: answer.headers as Record<string, string | string[]>, body };
}

describe.each([
  ['nginx.conf', startNginx],
  ['haproxy.cfg', startHaproxy],
])('%s', (_name, startProxy) => {
  let proxy: Proxy | undefined;
  const port = () => proxy?.port ?? 0;
  beforeAll(async () => {
    proxy = await startProxy();
  });
  afterAll(() => proxy?.stop());

  test('brings people to the portal by https, with cookies that need it', async () => {
    const { status, headers } = await ask(port(), '/sign-in');
    expect(status).toBe(200);
    expect(String(headers['set-cookie'])).toMatch(/^__Host-portal-form=.*Secure/);
  });

  test('says who the client is, whatever the client says of itself', async () => {
    told = [];
    const lies = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'http' };
    expect((await ask(port(), '/page', lies, 'www.hants.gov.uk')).body).toBe('well');
    expect(told).toEqual(['127.0.0.1']);
  });

  test('lets WebSockets through', async () => {
    const host = 'www.hants.gov.uk';
    const chat = new WebSocket(`wss://127.0.0.1:${port()}/chat`, { headers: { host }, rejectUnauthorized: false });
    await once(chat, 'open');
    chat.send('echo');
    expect(String((await once(chat, 'message'))[0])).toBe('echo');
    chat.terminate();
  });

  test('logs no query', async () => {
    await ask(port(), '/set-password?token=secret-of-a-link');
    await expect.poll(proxy!.said, { timeout: 10_000 }).toContain('portal.hants.gov.uk/set-password');
    expect(proxy!.said()).not.toContain('secret-of-a-link');
  });
});

const analyze = '/usr/bin/systemd-analyze';
test.runIf(existsSync(analyze))('systemd finds nothing wrong with the unit, and little that it leaves open', () => {
  const unit = join(dir, 'services-portal.service');
  writeFileSync(unit, sample('services-portal.service').replaceAll('/opt/services-portal', root.replace(/\/$/, '')));
  expect(execFileSync(analyze, ['verify', unit], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })).toBe('');
  const exposure = execFileSync(analyze, ['security', '--offline=true', unit], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  expect(Number(/exposure level[^\d]*([\d.]+)/.exec(exposure)?.[1])).toBeLessThan(2.5);
});

test('the unit, the containers and the runbook name settings, files and metrics that there are', async () => {
  const known = new Set(settingsTable.flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name])));
  const { services } = parse(sample('compose.yaml'));
  const inDockerfile = [...sample('Dockerfile').matchAll(/\b([A-Z]+(?:_[A-Z]+)*)=/g)].map(([, name]) => name);
  const inUnit = [...(/^Environment=(.*)$/m.exec(sample('services-portal.service'))?.[1] ?? '').matchAll(/(\w+)=/g)].map(
    ([, name]) => name,
  );
  const named = [...Object.keys(services.portal.environment), ...inDockerfile, ...inUnit];
  expect(named.length).toBeGreaterThan(8);
  for (const name of named) expect(known).toContain(name);
  for (const [, files = ''] of sample('Dockerfile').matchAll(/^COPY ([^.].*) \S+$/gm))
    for (const file of files.split(' ')) expect([file, existsSync(join(root, file))]).toEqual([file, true]);

  const page = await (await fetch(`http://127.0.0.1:${ports.operations}/metrics`)).text();
  const metrics = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  // There only with Redis.
  metrics.add('portal_redis_up');
  const alarms = [...sample('runbook.md').matchAll(/\b((?:portal|nodejs)_[a-z0-9_]+)/g)].map(([, name]) => name);
  expect(alarms.length).toBeGreaterThan(12);
  for (const name of alarms) expect(metrics).toContain(name);
});
