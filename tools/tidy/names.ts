/** One name for one thing: types and files whose names stand for two. */
import { posix } from 'node:path';
import { type SourceFile, withoutComments } from './source.ts';

const SOURCES = /^(?:packages\/[^/]+|web)\/src\/.*\.tsx?$/;
const TYPE = /^export (?:declare )?(?:abstract )?(?:interface|type|class) (\w+)/gm;

export const findNameFaults = (files: SourceFile[]): string[] => [...findTypes(files), ...findFiles(files)];

/** Types that two files declare under the same name. */
function findTypes(files: SourceFile[]): string[] {
  const declared = files
    .filter(({ path }) => SOURCES.test(path))
    .flatMap(({ path, source }) =>
      [...withoutComments(source).matchAll(TYPE)].map(([, name = '']) => ({ name, path })),
    );
  return [...Map.groupBy(declared, ({ name }) => name)]
    .filter(([, all]) => all.length > 1)
    .map(([name, all]) => `the type ${name} is declared in ${all.map(({ path }) => path).join(' and ')}`);
}

/** Named after endpoints, commands, and the types of the wire; `index` is a door. */
const NAMED_OTHERWISE = /\/(?:http|cli|wire)\/|\/index\.ts$/;

/** Files of the packages whose names are the same, but for the plural. */
function findFiles(files: SourceFile[]): string[] {
  const paths = files
    .map(({ path }) => path)
    .filter((path) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path) && !NAMED_OTHERWISE.test(path));
  return [...Map.groupBy(paths, (path) => posix.basename(path, '.ts').replace(/s$/, ''))]
    .filter(([, all]) => all.length > 1)
    .map(([, all]) => `${all.join(' and ')} have one name`);
}
