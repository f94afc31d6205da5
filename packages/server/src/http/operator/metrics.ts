import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { World } from '../../world/world.ts';

/** Why this node closed a WebSocket for notices, or refused one. */
export type Dropped = 'busy' | 'rate' | 'unread' | 'silent' | 'protocol';

/** The metrics for Prometheus. No label holds a user, a session or a path with an id in it. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  request(method: string, route: string, status: number, seconds: number): void;
  /** Memory answered a check before the router. */
  quickCheck(): void;
  /** This node closed a WebSocket for notices, or refused one. */
  noticesDropped(why: Dropped): void;
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export function createMetrics(world: World): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const registers = [register];
  const requests = new Histogram({
    name: 'curfew_request_seconds',
    help: 'Time to answer a request',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS,
    registers,
  });
  let quickChecks = 0;
  let reported = 0;
  new Counter({
    name: 'curfew_quick_checks_total',
    help: 'Checks answered from memory before the router',
    registers,
    collect() {
      this.inc(quickChecks - reported);
      reported = quickChecks;
    },
  });
  gauge(
    registers,
    'curfew_password_hashes_running',
    'Password hashes in progress',
    () => world.system.passwords.load().running,
  );
  gauge(
    registers,
    'curfew_password_hashes_waiting',
    'Logins waiting for a hash',
    () => world.system.passwords.load().waiting,
  );
  gauge(registers, 'curfew_remembered_credentials', 'Credentials in memory', () => world.memory.size);
  gauge(registers, 'curfew_nodes', 'Nodes on this database', () => world.nodes.state().nodes);
  gauge(
    registers,
    'curfew_verifiers',
    'Verifiers connected to this node',
    () => world.nodes.state().verifiers,
  );
  measureConfirmations(world, registers);
  const dropped = measureNotices(world, registers);
  measureFollowing(world, registers);
  gauge(
    registers,
    'curfew_log_age_seconds',
    'Age of the last complete read of the log',
    () => world.nodes.state().ageMs / 1000,
  );
  gauge(registers, 'curfew_fresh', '1 while memory may answer checks', () =>
    world.nodes.node.isFresh() ? 1 : 0,
  );
  gauge(registers, 'curfew_redis_up', '1 while Redis answers, 0 while not, -1 without Redis', () =>
    world.redis ? Number(world.redis.healthy) : -1,
  );
  return {
    contentType: register.contentType,
    text: () => register.metrics(),
    request: (method, route, status, seconds) =>
      requests.observe({ method, route, status: String(status) }, seconds),
    quickCheck: () => {
      quickChecks++;
    },
    noticesDropped: (why) => dropped.inc({ why }),
  };
}

function gauge(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}

/** How long logouts take until they are confirmed. */
function measureConfirmations(world: World, registers: Registry[]): void {
  const confirmations = new Histogram({
    name: 'curfew_confirmation_seconds',
    help: 'Time from the commit of a logout until it is confirmed everywhere',
    buckets: BUCKETS,
    registers,
  });
  const waitedOut = new Counter({
    name: 'curfew_waited_out_total',
    help: 'Replicas that did not acknowledge a logout and whose lease had to run out',
    registers,
  });
  world.nodes.onConfirmed((ms, propagation) => {
    confirmations.observe(ms / 1000);
    waitedOut.inc(propagation.waitedOut);
  });
}

/** @returns the counter of the sockets that this node closes or refuses */
function measureNotices(world: World, registers: Registry[]): Counter<'why'> {
  gauge(
    registers,
    'curfew_notice_sockets',
    'Devices connected to this node for notices',
    () => world.notices.state().listeners,
  );
  new Counter({
    name: 'curfew_notices_total',
    help: 'Notices that were sent to devices',
    labelNames: ['type'],
    registers,
    collect() {
      const { ended, changed } = world.notices.state();
      this.reset();
      this.inc({ type: 'session.ended' }, ended);
      this.inc({ type: 'sessions.changed' }, changed);
    },
  });
  const notices = new Histogram({
    name: 'curfew_notice_seconds',
    help: 'Time from a logout, as dated in the log, until its notice is sent to a device',
    buckets: BUCKETS,
    registers,
  });
  world.notices.onEnded((ms) => notices.observe(Math.max(0, ms) / 1000));
  return new Counter({
    name: 'curfew_notice_sockets_dropped_total',
    help: 'WebSockets for notices that this node closed or refused',
    labelNames: ['why'],
    registers,
  });
}

/** The other nodes, as heard here, and the readers of the log. */
function measureFollowing({ nodes, copies, readers }: World, registers: Registry[]): void {
  new Counter({
    name: 'curfew_messages_refused_total',
    help: 'Messages on the node channels that were rejected',
    labelNames: ['why'],
    registers,
    collect() {
      this.reset();
      for (const [why, count] of Object.entries(nodes.refused())) this.inc({ why }, count);
      this.inc({ why: 'cached_copy' }, copies.refused);
    },
  });
  new Gauge({
    name: 'curfew_reader_failures',
    help: 'Consecutive failed passes of a reader of the log',
    labelNames: ['reader'],
    registers,
    collect() {
      for (const { reader, passes } of readers.durable())
        this.set({ reader: reader.name }, passes.state().failures);
    },
  });
}
