/** The log as a browser's EventSource reads it. */
import { expect } from 'vitest';
import type { Authority } from '../../src/authority.ts';
import { until } from '../races/node.ts';
import { ISSUER, SERVICE_KEY } from '../support.ts';

export interface Streamed {
  status: number;
  events: { id: string; position: number; type: string; user_id: number | null; actor: string }[];
  /** The newest id, also of messages without an event. */
  lastId: string;
  done: boolean;
  close: () => Promise<void>;
}

/** Follows the log at a node, until it is closed. */
export async function followLog(
  authority: Pick<Authority, 'fetch'>,
  query = '',
  more: { bearer?: string; from?: string } = {},
): Promise<Streamed> {
  const headers = new Headers({
    accept: 'text/event-stream',
    authorization: `Bearer ${more.bearer ?? SERVICE_KEY}`,
  });
  if (more.from !== undefined) headers.set('last-event-id', more.from);
  const response = await authority.fetch(new Request(`${ISSUER}/v1/admin/events${query}`, { headers }));
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const streamed: Streamed = {
    status: response.status,
    events: [],
    lastId: '',
    done: false,
    close: async () => reader?.cancel(),
  };
  if (response.status !== 200 || !reader) return streamed;
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const listen = async (): Promise<void> => {
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = new Map(
          text
            .slice(0, end)
            .split('\n')
            .map((line) => line.split(/: (.*)/s) as [string, string]),
        );
        text = text.slice(end + 2);
        streamed.lastId = fields.get('id') ?? streamed.lastId;
        const data = fields.get('data');
        if (data !== undefined) streamed.events.push({ id: streamed.lastId, ...JSON.parse(data) });
      }
    }
    streamed.done = true;
  };
  void listen();
  // It sends its cursor at once.
  await until('it says from where it goes on', async () => streamed.lastId !== '');
  return streamed;
}
