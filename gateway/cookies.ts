import secureSession from '@fastify/secure-session';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { unpadded } from './forwarding/headers.ts';

/**
 * The gateway's cookies. Each is bound to one host, holds one random token sealed by `@fastify/secure-session`, and means nothing
 * without its row in the store: a sealed cookie alone would outlive sign-out (CVE-2024-31999).
 */
export type CookieName = 'session' | 'handoff' | 'form';
export type Cookies = {
  names: ReadonlySet<string>;
  read(header: string | undefined, name: CookieName): string | null;
  set(reply: FastifyReply, name: CookieName, token: string): void;
  clear(reply: FastifyReply, name: CookieName): void;
  /** The sealed text of a cookie, for a cache keyed by it; null if there is none, or two of the name (RFC 6265bis §5.7). */
  sealed(header: string | undefined, name: CookieName): string | null;
  open(sealed: string): string | null;
};

/**
 * @param keys 32-byte keys, newest first: the first seals, all of them open
 * @param secure false only for the demo's plain http, where browsers keep neither `Secure` nor `__Host-` cookies
 * @param lifeSeconds how long a sealed token may be read at all; the session's own limits are shorter
 */
export async function addCookies(app: FastifyInstance, keys: readonly Buffer[], secure: boolean, lifeSeconds: number): Promise<Cookies> {
  const codec = await sealedCodec(app, keys, lifeSeconds);
  const names: Record<CookieName, string> = secure
    ? { session: '__Host-portal', handoff: '__Host-portal-handoff', form: '__Host-portal-form' }
    : { session: 'portal', handoff: 'portal-handoff', form: 'portal-form' };
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;

  const sealed: Cookies['sealed'] = (header, name) => findCookie(header, names[name]);
  return {
    names: new Set(Object.values(names)),
    sealed,
    open: codec.open,
    read: (header, name) => {
      const text = sealed(header, name);
      return text === null ? null : codec.open(text);
    },
    set: (reply, name, token) => void reply.header('set-cookie', `${names[name]}=${encodeURIComponent(codec.seal(token))}; ${attributes}`),
    clear: (reply, name) => void reply.header('set-cookie', `${names[name]}=; Max-Age=0; ${attributes}`),
  };
}

type Codec = { seal(token: string): string; open(text: string): string | null };

/** Registers the plugin where no route lives, so that its hooks run for nobody and only its sealing is used. */
async function sealedCodec(app: FastifyInstance, keys: readonly Buffer[], lifeSeconds: number): Promise<Codec> {
  const codec = Promise.withResolvers<Codec>();
  await app.register(async scope => {
    await scope.register(secureSession, { key: [...keys], expiry: lifeSeconds });
    codec.resolve(codecOf(scope));
  });
  return codec.promise;
}

const codecOf = (scope: FastifyInstance): Codec => ({
  seal: token => scope.encodeSecureSession(scope.createSecureSession({ token })),
  open(text) {
    const token: unknown = scope.decodeSecureSession(onlySpelling(text))?.get('token');
    return typeof token === 'string' ? token : null;
  },
});

/**
 * The seal as it was given out, or nothing. Base64 and escapes let one be written in endless ways, quoted for instance, and each
 * spelling would be another session to the memory of sessions: one person could push out everybody else's.
 */
function onlySpelling(text: string): string {
  const sealed = decodeCookie(text);
  const again = sealed.split(';').map(part => Buffer.from(part, 'base64').toString('base64'));
  return encodeURIComponent(again.join(';')) === text ? sealed : '';
}

function decodeCookie(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** The one cookie of that name; of two, neither can be trusted to be ours (cookie tossing from a neighbouring host). */
function findCookie(header: string | undefined, name: string): string | null {
  if (!header?.includes(name)) return null;
  let found: string | null = null;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || unpadded(pair.slice(0, equals)) !== name) continue;
    if (found !== null) return null;
    found = unpadded(pair.slice(equals + 1));
  }
  return found;
}
