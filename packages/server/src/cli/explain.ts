import { ConfigError } from '../config.ts';
import { WrongKey } from '../keys/encrypted-key.ts';
import { DatabaseError } from '../store/database.ts';
import { BackupError } from '../store/backup.ts';
import { DiskFailure } from '../store/durable-files.ts';
import { Moved, MoveError } from '../store/move.ts';
import { DirectoryInUse, OpenDirectory, SchemaMismatch } from '../store/open-errors.ts';
import { redact } from '../system/log.ts';
import { EXIT, Failed, CommandRefused, UsageError } from './declare.ts';

const OWN = [
  BackupError,
  ConfigError,
  DatabaseError,
  DirectoryInUse,
  DiskFailure,
  Moved,
  MoveError,
  OpenDirectory,
  SchemaMismatch,
  WrongKey,
  Failed,
];

/** A failure in one sentence, without a stack and without a secret, and its exit code. */
export function explain(error: unknown): { code: number; sentence: string } {
  const code =
    error instanceof UsageError ? EXIT.usage : error instanceof CommandRefused ? EXIT.refused : EXIT.failed;
  return { code, sentence: redact(sentenceOf(error)).replaceAll(/\s*\n\s*/g, ' ') };
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof UsageError || error instanceof CommandRefused) return error.message;
  if (OWN.some((kind) => error instanceof kind)) return error.message;
  // Of several attempts (a host with two addresses) the first is enough.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return sentenceOf(error.errors[0]);
  return sentenceOfCode(error) ?? `${error.name}: ${error.message}`;
}

/** Sentences for the codes of the operating system and PostgreSQL. */
function sentenceOfCode(error: Error): string | null {
  const facts = error as Error & { code?: string; address?: string; port?: number; syscall?: string };
  const place = facts.port === undefined ? facts.address : `${facts.address ?? ''}:${facts.port}`;
  switch (facts.code) {
    case 'EADDRINUSE':
      return `another program uses ${place}. Stop it, or set PORT to a free port.`;
    case 'EADDRNOTAVAIL':
      return `${facts.address} is not an address of this machine. Set HOST to an address of this machine, or to 0.0.0.0 for all.`;
    case 'EACCES':
    case 'EPERM':
      return facts.syscall === 'listen'
        ? `this user may not listen on ${place}. Set PORT to 1024 or above.`
        : error.message;
    case 'ECONNREFUSED':
      return `nothing listens at ${place}. Is the database running?`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `cannot resolve the name of the host (${error.message}).`;
    case '3F000':
      return 'the schema for the tables does not exist. Create it (CREATE SCHEMA …), or set CURFEW_DATABASE_SCHEMA to one that does.';
    case '28P01':
    case '28000':
    case '3D000':
    case '42501':
    case '53300':
      return `PostgreSQL refuses: ${error.message}.`;
    default:
      return /timeout|terminated/i.test(error.message) && facts.code === undefined
        ? `the database does not answer (${error.message}).`
        : null;
  }
}
