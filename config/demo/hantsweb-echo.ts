import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** Answers a WebSocket upgrade (RFC 6455) and sends every frame back as it came. Frames over 64 KiB end the connection. */
export function echoFrames(request: IncomingMessage, socket: Duplex): void {
  // The fixed text is the one RFC 6455 §1.3 prescribes.
  const proof = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${proof}\r\n\r\n`);
  let waiting = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    for (let frame = firstFrame(waiting); frame; frame = firstFrame(waiting)) {
      waiting = waiting.subarray(frame.length);
      const opcode = frame.first & 0x0f;
      const first = opcode === 9 ? (frame.first & 0xf0) | 10 : frame.first;
      socket.write(Buffer.concat([Buffer.from([first]), sizeOf(frame.payload), frame.payload]));
      if (opcode === 8) socket.end();
    }
    if (waiting.length > 70_000) socket.destroy();
  });
}

/** The first whole frame of what has arrived, unmasked; null while some of it is still on its way. */
function firstFrame(bytes: Buffer): { first: number; payload: Buffer; length: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = short === 126 ? 4 : 2;
  if (short === 127 || bytes.length < start) return null;
  const size = short === 126 ? bytes.readUInt16BE(2) : short;
  const length = start + 4 + size;
  if (bytes.length < length) return null;
  const mask = bytes.subarray(start, start + 4);
  const payload = Buffer.from(bytes.subarray(start + 4, length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return { first: bytes.readUInt8(0), payload, length };
}

function sizeOf(payload: Buffer): Buffer {
  if (payload.length < 126) return Buffer.from([payload.length]);
  return Buffer.from([126, payload.length >> 8, payload.length & 0xff]);
}
