import { type Reply, Requests as Connections } from '../../packages/server/src/cli/prove/requests.ts';

export type { Reply };

/** Much longer than a logout may take. */
const TIMEOUT_MS = 15_000;

/** Requests whose failure counts as an answer of status 0, so that a logout without an answer is recorded as such. */
export class Requests {
  readonly #connections = new Connections({ connections: 256, timeoutMs: TIMEOUT_MS });

  send(method: string, url: string, headers: Record<string, string> = {}, body?: string): Promise<Reply> {
    return this.#connections
      .send(method, url, headers, body)
      .catch((error: unknown) => ({ status: 0, headers: {}, text: String(error) }));
  }

  json(method: string, url: string, headers: Record<string, string>, body?: object): Promise<Reply> {
    return body === undefined
      ? this.send(method, url, headers)
      : this.send(method, url, { 'content-type': 'application/json', ...headers }, JSON.stringify(body));
  }
}
