import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMAND_SETTINGS } from '../packages/server/src/command-settings.ts';
import { GONE, readConfig, RENAMED } from '../packages/server/src/config.ts';
import { SETTINGS } from '../packages/server/src/settings.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const KEY = 'l2zJt1m9R3sTqjJmY5e2wqQb6f3l0m1oXx1bS8yWc2s=';

/** `NAME=value` lines. */
function assignments(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map((match) => [match[1], match[2]]));
}

test('every setting that a document or a deployment names exists', () => {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  const documents = list
    .split('\0')
    .filter(
      (path) => /\.md$|^Dockerfile$|^compose\.yaml$|^deploy\//.test(path) && existsSync(join(root, path)),
    );
  expect(documents.length).toBeGreaterThan(20);
  const unknown = documents.flatMap((path) => {
    // A recipe of CONTRIBUTING.md adds settings that do not exist yet.
    const text = read(path).replace(/^```diff\n[\s\S]*?^```$/gm, '');
    const names = new Set(text.match(/\bCURFEW_[A-Z_]*[A-Z]\b/g));
    // Only the changelog and the decisions may name a setting that is gone, or an old name.
    const isHistory = path === 'CHANGELOG.md' || path.startsWith('docs/decisions/');
    return [...names]
      .filter(
        (name) =>
          !(name in SETTINGS || name in COMMAND_SETTINGS || (isHistory && (name in GONE || name in RENAMED))),
      )
      .map((name) => `${path}: ${name}`);
  });
  expect(unknown).toEqual([]);
});

describe('a deployment is accepted by the settings', () => {
  test('systemd: the unit with the example, filled in', () => {
    const unit = read('deploy/curfew.service');
    const fixed = Object.fromEntries(
      (/^Environment=(.*)$/m.exec(unit)?.[1] ?? '')
        .split(' ')
        .map((pair) => pair.split('=') as [string, string]),
    );
    const example = assignments(read('deploy/curfew.env.example'));
    expect(() => readConfig({ ...fixed, ...example })).toThrow('CURFEW_KEY');
    const config = readConfig({ ...fixed, ...example, CURFEW_KEY: KEY });
    expect(config).toMatchObject({ production: true, host: '127.0.0.1', trustedProxies: ['127.0.0.1'] });
    expect(config.database.kind).toBe('postgres');
  });

  test('Docker: the embedded database of the image lies in a volume', () => {
    const dockerfile = read('Dockerfile');
    const data = /\bCURFEW_DATA=(\S+)/.exec(dockerfile)?.[1];
    expect(/^VOLUME (\S+)$/m.exec(dockerfile)?.[1]).toBe(data);
    expect(read('docs/guides/deploy-behind-a-proxy.md')).toContain(`--volume curfew-data:${data}`);
  });

  test('Docker: the image’s environment with that of the compose file', () => {
    const image = Object.fromEntries(
      (/^ENV (.*)$/m.exec(read('Dockerfile'))?.[1] ?? '')
        .split(' ')
        .map((pair) => pair.split('=') as [string, string]),
    );
    expect(() => readConfig(image)).toThrow('CURFEW_KEY');
    const given: Record<string, string> = {
      POSTGRES_PASSWORD: 'secret',
      CURFEW_KEY: KEY,
      CURFEW_ISSUER: 'https://sessions.example.com',
    };
    const service = read('compose.yaml').split(/^ {2}postgres:$/m)[0] ?? '';
    const composed = Object.fromEntries(
      [...service.matchAll(/^ {6}([A-Z_]+): (.+)$/gm)].map((match) => [
        match[1],
        (match[2] ?? '').replace(/\$\{(\w+)[^}]*\}/g, (_all, name: string) => given[name] ?? ''),
      ]),
    );
    const config = readConfig({ ...image, ...composed });
    expect(config).toMatchObject({
      production: true,
      host: '0.0.0.0',
      issuer: given['CURFEW_ISSUER'],
      redisUrl: 'redis://redis:6379',
      demoAccounts: false,
    });
    expect(config.database).toMatchObject({ url: 'postgres://curfew:secret@postgres:5432/curfew' });
  });
});
