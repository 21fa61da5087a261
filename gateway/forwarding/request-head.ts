import type { RequestBody } from './request-body.ts';

/**
 * Where a request ends is said by what is sent as its body, and by nothing a client can add or take away: its `Connection` can name
 * `Content-Length`, and then the body would be read as the next request.
 * @throws if a name or value could end its line: nothing that comes from Node's parser can, and nothing else is to be sent
 */
export function requestHead(method: string, path: string, headers: readonly string[], body: RequestBody | null): string {
  let head = `${method} ${path} HTTP/1.1\r\n`;
  let lengthSaid = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!;
    const value = headers[index + 1]!;
    if (ENDS_LINE.test(value) || ENDS_LINE.test(name)) throw new Error('a header that ends its own line');
    if (name === 'content-length') lengthSaid = true;
    else head += `${name}: ${value}\r\n`;
  }
  if (body) head += body.length === null ? 'transfer-encoding: chunked\r\n' : `content-length: ${body.length}\r\n`;
  // RFC 9110 §8.6: where a body is expected, none is said too.
  else if (lengthSaid || EXPECTS_BODY.has(method)) head += 'content-length: 0\r\n';
  return `${head}connection: keep-alive\r\n\r\n`;
}

// Of a letter past Latin-1 only the lower half would be sent, and that of U+010A is a line feed.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are exactly what is looked for
const ENDS_LINE = /[\r\n\x00\u0100-\uffff]/;
const EXPECTS_BODY = new Set(['POST', 'PUT', 'PATCH']);
