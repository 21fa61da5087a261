import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../free-port.ts';
import { asNobody, programOf, startProgram, stopProgram, waitUntil } from '../servers.ts';

/** An application that knows nothing of us, on a loopback port of its own, as Debian ships it. */
export type Application = { origin: string; stop(): Promise<void> };

type Program = { name: string; args: string[]; env?: Record<string, string> };

async function startApplication({ name, args, env }: Program, dir: string, port: number): Promise<Application> {
  const origin = `http://127.0.0.1:${port}`;
  const child = startProgram(programOf(name), args, { ...asNobody(dir), ...(env && { env }) });
  await waitUntil(() => fetch(origin, { redirect: 'manual' }), child, name);
  return {
    origin,
    async stop() {
      await stopProgram(child, 'SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

// What a council writes into conf/local.php: who may do what, addresses that are paths, and who says who is there.
const wikiSettings = `<?php
$conf['title'] = 'Schools Wiki';
$conf['useacl'] = 1;
$conf['authtype'] = 'authportal';
$conf['userewrite'] = 2;
$conf['deaccent'] = 0;
$conf['disableactions'] = 'register,resendpwd,profile,profile_delete';
`;
const wikiRights = '*\t@ALL\t0\n*\t@user\t8\n';

/** DokuWiki in a folder of its own: Debian's files, with pages and settings that end with the test. */
export async function startDokuWiki(): Promise<Application> {
  const dir = mkdtempSync(join(tmpdir(), 'portal-wiki-'));
  const port = await freePort();
  const inDir = (...names: string[]) => join(dir, ...names);
  cpSync(dirname(dirname(programOf('dokuwiki'))), dir, { recursive: true, dereference: true });
  cpSync('/etc/dokuwiki', inDir('conf'), { recursive: true, dereference: true, filter: source => !source.endsWith('.auth.php') });
  cpSync(join(import.meta.dirname, 'dokuwiki'), inDir('lib/plugins/authportal'), { recursive: true });
  for (const name of ['pages', 'attic', 'meta', 'media', 'media_attic', 'media_meta', 'cache', 'index', 'locks', 'tmp', 'log'])
    mkdirSync(inDir('data', name), { recursive: true });
  writeFileSync(inDir('inc/preload.php'), `<?php define('DOKU_CONF', '${inDir('conf')}/');\n`);
  writeFileSync(inDir('conf/local.php'), `${wikiSettings}$conf['savedir'] = '${inDir('data')}';\n`);
  writeFileSync(inDir('conf/acl.auth.php'), wikiRights);
  writeFileSync(inDir('data/pages/start.txt'), '====== Schools Wiki ======\n\nWritten together by schools.\n');
  return startApplication({ name: 'php-cli', args: ['-S', `127.0.0.1:${port}`, '-t', dir] }, dir, port);
}

/** Jupyter, whose notebooks speak over a WebSocket. It lets in whoever reaches it by the one name it is told. */
export async function startNotebook(host: string): Promise<Application> {
  const dir = mkdtempSync(join(tmpdir(), 'portal-notebook-'));
  const port = await freePort();
  const place = { ip: '127.0.0.1', port, port_retries: 0, open_browser: false, notebook_dir: dir };
  const settings = { ...place, token: '', password: '', local_hostnames: [host] };
  writeFileSync(join(dir, 'settings.json'), JSON.stringify({ NotebookApp: settings }));
  const args = ['--config', join(dir, 'settings.json')];
  return startApplication({ name: 'jupyter-notebook', args, env: { HOME: dir } }, dir, port);
}
