import { attacks, type Defence, edit, server, upgrades } from './defence.ts';

export const routing: Defence[] = [
  {
    rows: [19],
    out: 'nothing is mounted under a path',
    edits: [
      edit(
        'gateway/site-scope.ts',
        'scope.removeAllContentTypeParsers();',
        "scope.removeAllContentTypeParsers();\n    scope.use('/efs', judge);",
      ),
    ],
    tests: ['tests/gateway/attacks-routes.test.ts'],
  },
  {
    rows: [28],
    out: 'the route to legacy pages has no parameter',
    edits: [edit('gateway/forwarding/dispatch.ts', "url: '/*',", "url: '/:service/*',")],
    tests: ['tests/gateway/attacks-routes.test.ts'],
  },
  {
    rows: [29],
    out: 'upstreams are told apart by their origin',
    edits: [edit('gateway/forwarding/upstreams.ts', 'const known = upstreams.get(origin);', 'const known = [...upstreams.values()][0];')],
    tests: ['tests/gateway/forwarding.test.ts'],
  },
  {
    rows: [30],
    out: 'certificates of legacy servers are verified',
    edits: [edit('gateway/forwarding/upstreams.ts', 'rejectUnauthorized: true,', 'rejectUnauthorized: false as true,')],
    tests: ['tests/gateway/upstreams.test.ts'],
  },
  {
    rows: [91],
    out: 'no route has a schema for headers',
    edits: [
      edit(
        'gateway/portal-scope.ts',
        "{ config: { rule: 'asset' } }, (_request",
        "{ config: { rule: 'asset' }, schema: { headers: {} } }, (_request",
      ),
    ],
    tests: ['tests/gateway/attacks-routes.test.ts'],
  },
  {
    rows: [92],
    out: 'no route has a version',
    edits: [
      edit(
        'gateway/forwarding/dispatch.ts',
        "'the hook forwards'),\n  });",
        "'the hook forwards'),\n  });\n  sites.route({ method: 'GET', url: '/*', exposeHeadRoute: false, config: { rule: 'asset' }, constraints: { version: '1.0.0' }, handler: (_request, reply) => reply.send('another') });",
      ),
    ],
    tests: [attacks],
  },
  {
    rows: [93],
    out: 'no route has a pattern',
    edits: [edit('gateway/portal-scope.ts', "'/.well-known/jwks.json'", "'/.well-known/:a-:b'")],
    tests: ['tests/gateway/attacks-routes.test.ts'],
  },
  {
    rows: [98],
    out: 'the portal’s routes are its own host’s',
    edits: [
      edit('gateway/portal-scope.ts', "route.constraints = { ...route.constraints, place: 'portal' };"),
      server('mustMatchWhenDerived: true,', 'mustMatchWhenDerived: false,'),
    ],
    tests: ['tests/gateway/legacy-table.test.ts'],
  },
];

export const hosts: Defence[] = [
  {
    rows: [36],
    out: 'hosts are compared in small letters',
    edits: [edit('gateway/sites.ts', '? match[1].toLowerCase() : null', '? match[1] : null')],
    tests: [attacks],
  },
  { rows: [37], out: 'a final dot does not count', edits: [edit('gateway/sites.ts', String.raw`)?)\.?(?::`, ')?)(?::')], tests: [attacks] },
  {
    rows: [38],
    out: 'a host is compared to its end',
    edits: [edit('gateway/sites.ts', '(?::[0-9]{1,5})?$/', '(?::[0-9]{1,5})?/')],
    tests: [attacks],
  },
  { rows: [39], out: 'there is one Host', edits: [server('hostsIn(rawHeaders) !== 1 || ')], tests: [attacks, upgrades] },
  {
    rows: [40, 45, 46],
    out: 'only named proxies are believed',
    edits: [server('settings.trustedProxies.length > 0 ? createTrust(settings.trustedProxies) : false', 'true')],
    tests: ['tests/gateway/sessions.test.ts', 'tests/gateway/forwarding.test.ts'],
  },
];

export const sockets: Defence[] = [
  {
    rows: [32],
    out: 'a handshake behind an answer on its way ends the connection, not the process',
    edits: [
      edit(
        'gateway/forwarding/upgrade.ts',
        `    } catch {
      // An earlier answer is still on its way on this connection; nobody who means well asks like that.
      socket.destroy();
      return;
    }`,
        '    } finally {\n    }',
      ),
    ],
    tests: ['tests/gateway/web-sockets.test.ts'],
    hangs: true,
  },
  {
    rows: [33],
    out: 'a handshake from a foreign page is refused',
    edits: [
      edit('gateway/site-scope.ts', 'if (isHandshake(request) && isForeign(request, site))', 'if (isForeign(request, site) && false)'),
    ],
    tests: [upgrades, 'tests/gateway/web-sockets.test.ts'],
  },
  {
    rows: [34],
    out: 'what follows a handshake waits until it was agreed to',
    edits: [edit('gateway/forwarding/upgrade.ts', '  handshake.end();', '  handshake.end(heads.get(request.raw));')],
    tests: ['tests/gateway/handshakes.test.ts'],
  },
  {
    rows: [35],
    out: 'only a WebSocket is switched to',
    edits: [edit('gateway/forwarding/upgrade.ts', " || headers.upgrade?.toLowerCase() !== 'websocket'")],
    tests: [upgrades],
  },
  {
    rows: [63],
    out: 'nobody listens for CONNECT',
    edits: [
      edit(
        'gateway/connections.ts',
        'server.maxHeadersCount = 0;',
        String.raw`server.maxHeadersCount = 0;
  server.on('connect', (_request, socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));`,
      ),
    ],
    tests: [attacks],
  },
];
