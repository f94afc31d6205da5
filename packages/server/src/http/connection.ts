import type { IncomingMessage } from 'node:http';

/** The connection that a request came over. */
export interface Connection {
  /** The request of node:http, whose socket has the address. */
  incoming?: IncomingMessage;
  /** The client's IP address, under other hosts. Without one it is missing from the log and the limits. */
  address?: string;
}
