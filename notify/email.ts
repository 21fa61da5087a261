import nodemailer from 'nodemailer';
import { checkEmailAddress, type Email, RefusedForGood, type Transport } from './delivery.ts';

// The timeouts below are per step; a slow server must not stretch one message past the worker's lease.
const TIMEOUT_MS = 40_000;
const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;

/**
 * Sends e-mail through the SMTP server of an address such as smtp://user:password@mail.example.org:587.
 * TLS is demanded, with a certificate that verifies, unless the server is this machine or the address says ?ignoreTLS=true.
 */
export function smtpTransport(smtpUrl: string, from: string): Transport<Email> {
  const { hostname, searchParams } = new URL(smtpUrl);
  const mailer = nodemailer.createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: 2,
    // The outbox tries again, with its own pauses; a pool that does so as well would hold a message past its lease.
    maxRequeues: 0,
    requireTLS: !loopback.test(hostname) && searchParams.get('ignoreTLS') !== 'true',
    connectionTimeout: 5_000,
    greetingTimeout: 5_000,
    socketTimeout: 20_000,
    dnsTimeout: 5_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send(email) {
      checkEmailAddress(email.to);
      const to = { name: '', address: email.to };
      await mailer
        .sendMail({
          from,
          to,
          envelope: { from: addressOf(from), to: [email.to] },
          subject: email.subject,
          text: email.text,
          html: email.html,
          messageId: `<${email.id}@${addressOf(from).split('@')[1]}>`,
          // RFC 3834: keeps out-of-office replies from answering a machine.
          headers: { 'Auto-Submitted': 'auto-generated' },
          signal: AbortSignal.timeout(TIMEOUT_MS),
        })
        .catch((error: unknown) => {
          throw isFinal(error) ? new RefusedForGood(error.message) : error;
        });
    },
    close: () => mailer.close(),
  };
}

/** The address in "Services Portal <portal@example.org>" or in the address alone. */
function addressOf(from: string): string {
  return /<([^<>]+)>$/.exec(from)?.[1] ?? from;
}

/**
 * RFC 5321 §4.2.1: 5yz is final. Only what the server says of this recipient or this message counts: a refused login or
 * sender is a fault of the settings, and the message waits until they are right.
 */
function isFinal(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { responseCode, command } = error as Error & { responseCode?: number; command?: string };
  return (responseCode ?? 0) >= 500 && (command === 'RCPT TO' || command === 'DATA');
}
