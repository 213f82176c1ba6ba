// HTTP/2 frames by hand, for clients that misbehave (RFC 9113 section 4.1, RFC 7541 section 6).
import net from 'node:net';

export const DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, WINDOW_UPDATE = 8, END_STREAM = 1, END_HEADERS = 4;

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0)]);

// method: 0x82 GET, 0x83 POST (indexed); :scheme http, :path as a literal, :authority "x".
export function headerBlock(method, where) {
  return Buffer.concat([Buffer.from([method, 0x86, 0x04, where.length]), Buffer.from(where), Buffer.from([0x41, 1, 0x78])]);
}

export async function rawConnection(server) {
  const socket = net.connect(server.port, '127.0.0.1');
  await new Promise((resolve, reject) => { socket.on('connect', resolve); socket.on('error', reject); });
  return socket;
}

// What a socket receives until the other side closes; null when it does not within ms.
export function readToEnd(socket, ms) {
  return new Promise((resolve) => {
    const chunks = [];
    const timer = setTimeout(() => { socket.destroy(); resolve(null); }, ms);
    socket.on('data', (data) => chunks.push(data));
    socket.on('error', () => {});
    socket.on('close', () => { clearTimeout(timer); resolve(Buffer.concat(chunks)); });
  });
}
