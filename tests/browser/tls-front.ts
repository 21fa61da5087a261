import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { asNobody, programOf, startProgram, stopProgram, waitUntil } from '../servers.ts';

export type TlsFront = { port: number; stop(): Promise<void> };

const modules = ['mpm_event', 'authz_core', 'headers', 'proxy', 'proxy_http', 'proxy_wstunnel', 'ssl', 'socache_shmcb'];

/** Apache as it ends TLS in front of the gateway, with nothing of the machine's own Apache in it. */
export async function startTlsFront(gatewayPort: number): Promise<TlsFront> {
  const dir = mkdtempSync(join(tmpdir(), 'portal-front-'));
  const port = await freePort();
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-keyout', 'key.pem'];
  const certificate = ['req', '-x509', ...newKey, '-out', 'certificate.pem', '-subj', '/CN=County'];
  execFileSync(programOf('openssl'), certificate, { cwd: dir, stdio: 'pipe' });
  const settings = `
    ${modules.map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
    ServerName county
    ServerRoot ${dir}
    PidFile ${dir}/apache.pid
    DefaultRuntimeDir ${dir}
    ErrorLog ${dir}/error.log
    Listen 127.0.0.1:${port}
    SSLEngine on
    SSLCertificateFile ${dir}/certificate.pem
    SSLCertificateKeyFile ${dir}/key.pem
    AllowEncodedSlashes NoDecode
    ProxyPreserveHost on
    RequestHeader set X-Forwarded-Proto https
    ProxyPass / http://127.0.0.1:${gatewayPort}/ nocanon upgrade=websocket
  `;
  writeFileSync(join(dir, 'apache.conf'), settings);
  const child = startProgram(programOf('apache2-bin'), ['-D', 'FOREGROUND', '-f', join(dir, 'apache.conf')], asNobody(dir), 'SIGTERM');
  await waitUntil(() => reach(port), child, 'Apache');
  return {
    port,
    async stop() {
      await stopProgram(child, 'SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Resolves when somebody accepts connections there. */
function reach(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
