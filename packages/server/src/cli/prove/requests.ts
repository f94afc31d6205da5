import { Agent, type ClientRequest, type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { Agent as SecureAgent, request as httpsRequest } from 'node:https';

/** An answer of a server, read in full. */
export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Requests over kept connections: the global fetch is four times slower, and would check less. */
/** The address of a path of a node, which may be under a path itself. */
export const addressAt = (node: string, path: string): string => node.replace(/\/+$/, '') + path;

export class Requests {
  readonly #agent: Agent;
  readonly #secureAgent: SecureAgent;
  readonly #timeoutMs: number;

  constructor({ connections = 64, timeoutMs = 10_000 } = {}) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#secureAgent = new SecureAgent({ keepAlive: true, maxSockets: connections });
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sent once. A check is repeated when the server closes the idle connection while it is sent, which says nothing about the
   * session (RFC 9110 section 9.2.2 allows a safe request to be repeated).
   * @throws Error when there is no answer in time
   */
  async send(
    method: string,
    url: string | URL,
    headers: Record<string, string> = {},
    body?: string,
  ): Promise<Reply> {
    const sent = this.#sendOnce(method, url, headers, body);
    return sent.reply.catch((error: NodeJS.ErrnoException) => {
      const closed = error.code === 'ECONNRESET' && sent.request.reusedSocket;
      if (method !== 'GET' || !closed) throw error;
      return this.#sendOnce(method, url, headers, body).reply;
    });
  }

  #sendOnce(
    method: string,
    url: string | URL,
    headers: Record<string, string>,
    body: string | undefined,
  ): { request: ClientRequest; reply: Promise<Reply> } {
    const address = new URL(url);
    const secure = address.protocol === 'https:';
    const request = (secure ? httpsRequest : httpRequest)(address, {
      method,
      agent: secure ? this.#secureAgent : this.#agent,
      timeout: this.#timeoutMs,
      headers: body === undefined ? headers : { 'content-length': Buffer.byteLength(body), ...headers },
    });
    const reply = new Promise<Reply>((resolve, reject) => {
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
        response.on('error', reject);
      });
      request.on('timeout', () =>
        request.destroy(
          new Error(`no answer from ${address.origin} within ${this.#timeoutMs / 1000} seconds`),
        ),
      );
      request.on('error', reject);
    });
    request.end(body);
    return { request, reply };
  }

  close(): void {
    this.#agent.destroy();
    this.#secureAgent.destroy();
  }
}
