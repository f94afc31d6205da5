import { type Config, type Environment, inspectSettings, RENAMED } from '../../config.ts';
import { SETTINGS } from '../../settings.ts';
import { isLoopback, isLoopbackHost } from '../../system/setting-forms.ts';
import type { Findings } from './findings.ts';

/** Every fault of the settings, and valid values that deserve attention. */
export function checkSettings(
  environment: Environment,
  findings: Findings,
): { config: Config; bad: Set<string> } {
  const { config, faults } = inspectSettings(environment);
  for (const fault of faults) findings.problem(fault.setting, fault.message.slice(fault.setting.length + 2));
  if (faults.length === 0) {
    const given = Object.keys(SETTINGS).filter((name) => (environment[name] ?? '') !== '').length;
    const mode = config.production ? 'production' : 'not production (NODE_ENV)';
    findings.ok('settings', `${given} set, the others have their defaults; ${mode}.`);
  }
  for (const was of config.oldNames)
    findings.warning(was, `is the old name of ${RENAMED[was]}. Use the new name.`);
  if (config.database.kind === 'postgres' && config.encryptionKey === null && !config.production)
    findings.warning('CURFEW_KEY', 'is not set: the signing keys are stored unencrypted in the database.');
  if (!isLoopbackHost(config.host) && isLoopback(new URL(config.issuer).hostname))
    findings.warning(
      'HOST',
      `the server is reachable from the network (${config.host}), but its issuer is ${config.issuer}. Set CURFEW_ISSUER to the public https:// address.`,
    );
  return { config, bad: new Set(faults.map(({ setting }) => setting)) };
}
