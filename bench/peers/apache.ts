import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { request } from 'undici';
import { runPeer } from './program.ts';

/**
 * Apache as a reverse proxy. `plain` lets everything through; `openidc` is gated by mod_auth_openidc with its sessions in shared
 * memory, and somebody signs in at a real OpenID provider first.
 */
const [origin = '', kind] = process.argv.slice(2);
const user = 'WENDY166';
const modules = '/usr/lib/apache2/modules';
const load = (names: string[]) => names.map(name => `LoadModule ${name}_module ${modules}/mod_${name}.so`).join('\n');
const client = { client_id: 'bench', client_secret: 'a secret of the bench' };
const provider = kind === 'openidc' ? await startProvider() : null;

/** The provider is outside the peer's own port, so the address that leads back must be known before: Apache's is asked for last. */
async function startProvider() {
  const server = createServer((request, response) => void handler?.(request, response));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let handler: ReturnType<Provider['callback']> | null = null;
  return {
    issuer,
    open(port: number) {
      const redirect_uris = [`http://127.0.0.1:${port}/callback`];
      const all = new Provider(issuer, { clients: [{ ...client, redirect_uris }], pkce: { required: () => false } });
      handler = all.callback();
    },
  };
}

const gate = (port: number) =>
  provider === null
    ? 'Require all granted'
    : `AuthType openid-connect
    Require valid-user
    RequestHeader set Remote-User expr=%{REMOTE_USER}
  </Location>
  OIDCProviderMetadataURL ${provider.issuer}/.well-known/openid-configuration
  OIDCClientID ${client.client_id}
  OIDCClientSecret "${client.client_secret}"
  OIDCRedirectURI http://127.0.0.1:${port}/callback
  OIDCCryptoPassphrase "another secret of the bench"
  OIDCRemoteUserClaim sub
  OIDCSessionInactivityTimeout 36000
  <Location /never>`;

const port = await runPeer({
  program: '/usr/sbin/apache2',
  args: (file, dir) => ['-d', dir, '-f', file, '-D', 'FOREGROUND'],
  config(listen, dir) {
    provider?.open(listen);
    return `
ServerName 127.0.0.1
PidFile ${dir}/apache.pid
DefaultRuntimeDir ${dir}
ErrorLog /dev/null
LogLevel crit
Listen 127.0.0.1:${listen}
${load(['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'proxy', 'proxy_http', 'headers', ...(provider ? ['auth_openidc'] : [])])}
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 120
MaxSpareThreads 400
MaxConnectionsPerChild 0
  ProxyPass / ${origin}/ keepalive=On
  <Location />
    ${gate(listen)}
  </Location>
`;
  },
});
process.send?.(provider === null ? { port } : { port, peer: { user, host: `127.0.0.1:${port}`, cookie: await signIn(port) } });

/** What a browser does: to the page, to the provider and through its two forms, and back with a session. */
async function signIn(at: number): Promise<string> {
  const jar = new Map<string, string>();
  const cookies = () => [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  async function go(url: string, form?: URLSearchParams): Promise<string> {
    const type = form ? { 'content-type': 'application/x-www-form-urlencoded' } : {};
    // Not `fetch`: it says of itself that it does not navigate, and is not sent to sign in.
    const { headers, body } = await request(url, {
      method: form ? 'POST' : 'GET',
      headers: { cookie: cookies(), accept: 'text/html', ...type },
      body: form?.toString() ?? null,
    });
    for (const set of [headers['set-cookie'] ?? []].flat()) {
      const [pair = ''] = set.split(';');
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    await body.dump();
    return headers.location ? go(new URL(String(headers.location), url).href) : url;
  }
  const form = await go(`http://127.0.0.1:${at}/trailblazer/`);
  const consent = await go(form, new URLSearchParams({ prompt: 'login', login: user, password: 'any' }));
  await go(consent, new URLSearchParams({ prompt: 'consent' }));
  return `mod_auth_openidc_session=${jar.get('mod_auth_openidc_session')}`;
}
