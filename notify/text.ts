import type RequestClient from 'twilio/lib/base/RequestClient.js';
import { checkPhoneNumber, RefusedForGood, type TextMessage, type Transport } from './delivery.ts';

type TwilioSettings = { accountSid: string; authToken: string; from: string; baseUrl: string | null };
type SendText = (message: { to: string; from: string; body: string }) => Promise<unknown>;

const TIMEOUT_MS = 10_000;

/** Sends text messages through Twilio. The client is loaded at the first text: it takes 0.3 s and 30 MB that a start need not pay. */
export function twilioTransport(settings: TwilioSettings): Transport<TextMessage> {
  let client: Promise<SendText> | null = null;
  return {
    async send(message) {
      checkPhoneNumber(message.to);
      client ??= loadClient(settings);
      const sendText = await client;
      await sendText({ to: message.to, from: settings.from, body: message.text }).catch((error: unknown) => {
        throw isFinal(error) ? new RefusedForGood(error.message) : error;
      });
    },
    close() {},
  };
}

async function loadClient({ accountSid, authToken, baseUrl }: TwilioSettings): Promise<SendText> {
  const { default: twilio } = await import('twilio');
  // Twilio's client has no setting for another address, so the request is turned round at its last step.
  class RedirectedClient extends twilio.RequestClient {
    override request<Data>(options: RequestClient.RequestOptions<Data>) {
      const { pathname, search } = new URL(options.uri);
      const uri = baseUrl === null ? options.uri : `${baseUrl.replace(/\/$/, '')}${pathname}${search}`;
      return super.request<Data>({ ...options, uri });
    }
  }
  const client = twilio(accountSid, authToken, { httpClient: new RedirectedClient({ timeout: TIMEOUT_MS }) });
  return message => client.messages.create(message);
}

/** 4xx says that this text will never be taken (a number that is not a mobile, say), except when asked to slow down or sign in. */
function isFinal(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { status } = error as Error & { status?: number };
  const mayPass = status === undefined || status === 429 || status === 401 || status === 403;
  return !mayPass && status >= 400 && status < 500;
}
