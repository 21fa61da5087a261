import type { Goal } from './figures.ts';

/**
 * A row of the table. Its program, one of this folder, is given the address of the upstream and then `args`; what it says when it is
 * ready is a `Ready` of systems.ts.
 */
export type Contender = {
  name: string;
  program: string;
  args?: readonly string[];
  /** One of ours prepares its county on all cores before it keeps to its own. */
  ours?: true;
  /** It is measured alone, with nothing behind it. */
  alone?: true;
  /** What takes turns on one core elsewhere may use both here. */
  bothCores?: true;
  /** What a peer needs of Debian, and the packages that have it. Left out with `npm run bench`. */
  debian?: { program: string; packages: string };
  /** What it is compared with, and what is asked of it. */
  goals: readonly Goal[];
};

const alone = 'upstream alone';
const bare = 'bare @fastify/http-proxy';
const nginx = 'nginx, plain';
const nginxAsks = 'nginx auth_request, Node says yes';
export const ours = 'ours, 1 organisation';
export const workers = 'ours, 2 workers';
/** The one beside which people sign in: it has enough administrators for that. */
export const hundred = 'ours, 100 organisations';
export const county = 'ours, 2,000 organisations';

const nginxProgram = { program: '/usr/sbin/nginx', packages: 'nginx-light' };
const apacheProgram = { program: '/usr/sbin/apache2', packages: 'apache2' };
const openidcModule = { program: '/usr/lib/apache2/modules/mod_auth_openidc.so', packages: 'apache2 libapache2-mod-auth-openidc' };
const lemonldapProgram = { program: '/usr/sbin/llng-fastcgi-server', packages: 'nginx-light lemonldap-ng lemonldap-ng-fastcgi-server' };

/** What is asked of the gateway is how it stands to the others, and of some of the others how they stand to the gateway. */
export const contenders = (peopleEach: number): readonly Contender[] => {
  const people = ['--people-each', String(peopleEach)];
  return [
    { name: alone, program: 'upstream.ts', alone: true, goals: [] },
    { name: bare, program: 'bare-proxy.ts', goals: [{ of: 'cpu', to: alone }] },
    {
      ...{ name: ours, ours: true, program: 'gateway.ts', args: people },
      goals: [
        { of: 'cpu', to: bare, most: 0.65 },
        { of: 'cpu', to: nginx, most: 3.5 },
        { of: 'cpu', to: nginxAsks, most: 1 },
        { of: 'memory', most: 180 },
      ],
    },
    {
      ...{ name: hundred, ours: true, program: 'gateway.ts', args: [...people, '--organisations', '100'] },
      goals: [{ of: 'cpu', to: ours, most: 1.2 }],
    },
    {
      ...{ name: county, ours: true, program: 'gateway.ts', args: [...people, '--organisations', '2000'] },
      goals: [{ of: 'cpu', to: ours, most: 1.2 }],
    },
    {
      ...{ name: 'ours, access log on', ours: true, program: 'gateway.ts', args: [...people, '--access-log'] },
      goals: [{ of: 'cpu', to: ours, most: 1.25 }],
    },
    {
      ...{ name: workers, ours: true, program: 'gateway.ts', args: [...people, '--workers', '2'], bothCores: true },
      goals: [
        { of: 'cpu', to: ours },
        { of: 'requests', to: ours },
      ],
    },
    { name: nginx, program: 'peers/nginx.ts', args: ['plain'], debian: nginxProgram, goals: [] },
    { name: nginxAsks, program: 'peers/nginx.ts', args: ['auth-request'], debian: nginxProgram, goals: [] },
    {
      ...{ name: 'Apache, plain', program: 'peers/apache.ts', args: ['plain'], debian: apacheProgram },
      goals: [{ of: 'cpu', to: ours, least: 1.25 }],
    },
    {
      ...{ name: 'Apache mod_auth_openidc', program: 'peers/apache.ts', args: ['openidc'], debian: openidcModule },
      goals: [{ of: 'cpu', to: ours, least: 2.8 }],
    },
    {
      ...{ name: 'LemonLDAP::NG, nginx and FastCGI', program: 'peers/lemonldap.ts', debian: lemonldapProgram },
      goals: [{ of: 'cpu', to: ours, least: 12 }],
    },
  ];
};
