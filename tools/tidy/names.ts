/** One name for one thing: what a file offers to others has a name that no other file offers. */
import { type SourceFile, withoutComments } from './source.ts';

const SOURCES = /^(?:packages\/[^/]+|web)\/src\/.*\.tsx?$/;
const TYPE = /^export (?:declare )?(?:abstract )?(?:interface|type|class) (\w+)/gm;

/** Types that two files declare under the same name. */
export function findNameFaults(files: SourceFile[]): string[] {
  const declared = files
    .filter(({ path }) => SOURCES.test(path))
    .flatMap(({ path, source }) =>
      [...withoutComments(source).matchAll(TYPE)].map(([, name = '']) => ({ name, path })),
    );
  return [...Map.groupBy(declared, ({ name }) => name)]
    .filter(([, all]) => all.length > 1)
    .map(([name, all]) => `the type ${name} is declared in ${all.map(({ path }) => path).join(' and ')}`);
}
