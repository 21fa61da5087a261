import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export type Received = { to: string[]; from: string; headers: string; subject: string; text: string; html: string };

/** A real SMTP server on this machine. `answer` may return a reply code to refuse the recipient or the message with. */
export async function startMailServer(
  answer: { recipient?: (address: string) => number | null; message?: (received: Received) => number | null } = {},
  options: SMTPServerOptions & { port?: number } = { disabledCommands: ['STARTTLS', 'AUTH'] },
) {
  const received: Received[] = [];
  const server = new SMTPServer({
    authOptional: true,
    logger: false,
    // A client may keep its connection; the server does not wait for it.
    closeTimeout: 50,
    ...options,
    onRcptTo(address, _session, done) {
      done(refusal(answer.recipient?.(address.address)));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const message = readMessage(Buffer.concat(chunks).toString('latin1'));
        const to = session.envelope.rcptTo.map(({ address }) => address);
        const from = session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address;
        const code = answer.message?.({ ...message, to, from });
        if (!code) received.push({ ...message, to, from });
        done(refusal(code));
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>(ready => server.listen(options.port ?? 0, '127.0.0.1', ready));
  const { port } = server.server.address() as AddressInfo;
  return { url: `smtp://127.0.0.1:${port}`, port, received, close: () => new Promise<void>(done => server.close(done)) };
}

function refusal(code: number | null | undefined): Error | null {
  return code ? Object.assign(new Error('not today'), { responseCode: code }) : null;
}

function readMessage(raw: string): Omit<Received, 'to' | 'from'> {
  const [headers = '', body = ''] = halves(raw);
  const unfolded = headers.replace(/\r\n[ \t]+/g, ' ');
  const boundary = /boundary="([^"]+)"/.exec(unfolded)?.[1] ?? '';
  const part = (type: string) => decodePart(body.split(`--${boundary}`).find(each => each.includes(`Content-Type: ${type}`)) ?? '');
  return { headers: unfolded, subject: /^Subject: (.*)$/m.exec(unfolded)?.[1] ?? '', text: part('text/plain'), html: part('text/html') };
}

function halves(raw: string): [string, string] {
  const at = raw.indexOf('\r\n\r\n');
  return [raw.slice(0, at), raw.slice(at + 4)];
}

/** The part's words, whichever encoding the sender chose. */
function decodePart(raw: string): string {
  const [headers, body] = halves(raw.trimStart());
  const bytes = /quoted-printable/i.test(headers)
    ? Buffer.from(
        body.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
        'latin1',
      )
    : Buffer.from(body, /base64/i.test(headers) ? 'base64' : 'latin1');
  return bytes.toString('utf8').replaceAll('\r\n', '\n');
}
