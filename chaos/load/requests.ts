import { Agent, type IncomingHttpHeaders, request } from 'node:http';

/** An answer, read to its end. `status` 0: none came. */
export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Well beyond what a logout may take. */
const TIMEOUT_MS = 15_000;

/** Requests over kept connections. Nothing is ever sent twice: a logout that was not answered stays unanswered. */
export class Requests {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });

  send(method: string, url: string, headers: Record<string, string> = {}, body?: string): Promise<Reply> {
    return new Promise((resolve) => {
      const none = (why: string): void => resolve({ status: 0, headers: {}, text: why });
      const asked = request(
        url,
        {
          method,
          agent: this.#agent,
          timeout: TIMEOUT_MS,
          headers: body === undefined ? headers : { 'content-length': Buffer.byteLength(body), ...headers },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (text += chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
          );
          response.on('error', (error) => none(error.message));
        },
      );
      asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
      asked.on('error', (error) => none(error.message));
      asked.end(body);
    });
  }

  json(method: string, url: string, headers: Record<string, string>, body?: object): Promise<Reply> {
    return body === undefined
      ? this.send(method, url, headers)
      : this.send(method, url, { 'content-type': 'application/json', ...headers }, JSON.stringify(body));
  }
}
