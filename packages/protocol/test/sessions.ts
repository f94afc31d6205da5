import type { SessionFacts } from '@curfew/protocol/cuts';
import { watch, type Watched } from '@curfew/protocol/replica';

/** The session id number n. */
export const sidOf = (n: number): string =>
  `01890a5d-ac96-7${(n % 4096).toString(16).padStart(3, '0')}-8${(n % 4093).toString(16).padStart(3, '0')}-${n.toString(16).padStart(12, '0')}`;

export const session = (facts: Partial<SessionFacts> = {}): Watched =>
  watch({
    sid: sidOf(1),
    subject: '7',
    clientId: 'shop',
    deviceId: 'phone',
    born: 10,
    login: null,
    tenant: 'default',
    ...facts,
  });
