/** One HTTP request as candidates describe it. `toWire` turns it into the bytes that every generator sends. */
export interface WireRequest {
  method: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/**
 * The same text for every generator and every candidate, without headers that only some client libraries add. `Host` has the port, because
 * Origin checks compare with it.
 */
export function toWire(request: WireRequest, port: number): string {
  const { body } = request;
  let head = `${request.method} ${request.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`;
  for (const [name, value] of Object.entries(request.headers ?? {})) head += `${name}: ${value}\r\n`;
  if (body !== undefined) head += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  else if (request.method === 'POST') head += 'Content-Length: 0\r\n';
  return `${head}\r\n${body ?? ''}`;
}
