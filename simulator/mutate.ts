import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import type { Mutation } from './mutation-type.ts';
import { MUTATIONS } from './mutations.ts';

/** From now on the mutated file is loaded in place of the original. Import it after this call. */
export function mutate(name: string): Mutation {
  const mutation = MUTATIONS.find((one) => one.name === name);
  if (!mutation) throw new Error(`there is no mutation "${name}"`);
  const target = new URL(`../${mutation.file}`, import.meta.url).href;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== target) return loaded;
      return { ...loaded, source: mutated(mutation, readFileSync(new URL(target), 'utf8')) };
    },
  });
  return mutation;
}

/** @throws Error if the text does not occur exactly once: then the source has changed, and the mutation must be adapted */
export function mutated({ name, file, edits }: Mutation, source: string): string {
  let changed = source;
  for (const [text, replacement] of edits) {
    const pieces = changed.split(text);
    if (pieces.length !== 2)
      throw new Error(`${name}: a text of it occurs ${pieces.length - 1} times in ${file}`);
    changed = pieces.join(replacement);
  }
  return changed;
}
