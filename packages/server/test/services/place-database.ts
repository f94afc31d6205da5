/**
 * Writes a place database as the operator would bring one, in MaxMind's format, version 2.0
 * (https://maxmind.github.io/MaxMind-DB/): a binary tree by the bits of the address, the records, the metadata.
 */
export type Value = string | number | boolean | Value[] | { [key: string]: Value };

interface DatabaseFacts {
  type?: string;
  ipVersion?: 4 | 6;
}

/** The bytes of a database with these records by network: `{ '203.0.113.0/24': { city: … } }`. */
export function placeDatabase(records: Record<string, Value>, facts: DatabaseFacts = {}): Buffer {
  const { type = 'GeoLite2-City', ipVersion = 6 } = facts;
  const encoded = Object.values(records).map(encode);
  return databaseOf(Object.keys(records), encoded, type, ipVersion);
}

/** A place database with raw records, which may be invalid. */
export function databaseOf(
  networks: string[],
  encoded: Buffer[],
  type = 'GeoLite2-City',
  ipVersion: 4 | 6 = 6,
): Buffer {
  // A side of a node is another node, a record, or nothing.
  type Side = { node: number } | { record: number } | null;
  const nodes: [Side, Side][] = [[null, null]];
  networks.forEach((network, record) => {
    const bits = bitsOf(network, ipVersion);
    let at = 0;
    bits.forEach((bit, depth) => {
      const node = nodes[at] as [Side, Side];
      if (depth === bits.length - 1) {
        node[bit] = { record };
        return;
      }
      const side = node[bit];
      if (side && 'node' in side) at = side.node;
      else {
        node[bit] = { node: nodes.length };
        at = nodes.length;
        nodes.push([null, null]);
      }
    });
  });
  const starts = encoded.map((_, i) => encoded.slice(0, i).reduce((sum, { length }) => sum + length, 0));
  const tree = Buffer.alloc(nodes.length * 6);
  nodes.flat().forEach((side, i) => {
    const value =
      side === null
        ? nodes.length
        : 'node' in side
          ? side.node
          : nodes.length + 16 + (starts[side.record] as number);
    tree.writeUIntBE(value, i * 3, 3);
  });
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_790_000_000,
    database_type: type,
    description: { en: 'for tests' },
    ip_version: ipVersion,
    languages: ['en'],
    node_count: nodes.length,
    record_size: 24,
  });
  const marker = Buffer.concat([Buffer.from('abcdef', 'hex'), Buffer.from('MaxMind.com')]);
  return Buffer.concat([tree, Buffer.alloc(16), ...encoded, marker, metadata]);
}

/** The bits that an address must begin with. In a tree of IPv6 those of IPv4 lie below ::/96. */
function bitsOf(network: string, ipVersion: 4 | 6): (0 | 1)[] {
  const [address = '', length = ''] = network.split('/');
  const isV6 = address.includes(':');
  const bytes = isV6 ? v6Bytes(address) : address.split('.').map(Number);
  const own = bytes.flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((at) => ((byte >> at) & 1) as 0 | 1));
  const bits = own.slice(0, Number(length));
  return isV6 || ipVersion === 4 ? bits : [...bitsOf('::/96', 6), ...bits];
}

function v6Bytes(address: string): number[] {
  const [left = '', right = ''] = address.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((one) => parseInt(one, 16));
  const [before, after] = [groups(left), groups(right)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 255]);
}

/** A value as it lies in the file. */
export function encode(value: Value): Buffer {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    return Buffer.concat([control(2, bytes.length), bytes]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([control(6, 4), bytes]);
  }
  if (typeof value === 'boolean') return control(14, value ? 1 : 0);
  if (Array.isArray(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)]);
  const entries = Object.entries(value);
  return Buffer.concat([control(7, entries.length), ...entries.flat().map(encode)]);
}

/** The header of a value: its type and length. */
function control(type: number, size: number): Buffer {
  const first = (type > 7 ? 0 : type) << 5;
  const more = type > 7 ? [type - 7] : [];
  if (size < 29) return Buffer.from([first | size, ...more]);
  if (size < 285) return Buffer.from([first | 29, ...more, size - 29]);
  if (size < 65_821) return Buffer.from([first | 30, ...more, (size - 285) >> 8, (size - 285) & 255]);
  const rest = size - 65_821;
  return Buffer.from([first | 31, ...more, rest >> 16, (rest >> 8) & 255, rest & 255]);
}
