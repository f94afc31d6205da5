import { ConfigError, type Environment } from '../config.ts';
import { DirectoryInUse } from '../store/embedded.ts';
import { SchemaMismatch } from '../store/migrate.ts';
import { WrongKey } from '../keys/seal.ts';
import { redact } from '../system/log.ts';
import { serve } from './serve.ts';

export async function runCommand(args: string[], environment: Environment): Promise<number> {
  try {
    if (args[0] === 'serve') return await serve(environment);
    process.stderr.write('usage: curfew serve\n');
    return 2;
  } catch (error) {
    const expected =
      error instanceof ConfigError ||
      error instanceof DirectoryInUse ||
      error instanceof SchemaMismatch ||
      error instanceof WrongKey;
    const text =
      error instanceof Error ? (expected ? error.message : `${error.name}: ${error.message}`) : String(error);
    process.stderr.write(`curfew: ${redact(text)}\n`);
    return 1;
  }
}
