/** Runs before each test file, so that this comes after everything that the file itself does at its end. */
import { afterAll } from 'vitest';
import { dropFileDatabases } from './fresh-database.ts';
import { removeFileScratch } from './scratch.ts';

afterAll(removeFileScratch);
afterAll(dropFileDatabases);
