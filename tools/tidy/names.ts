/** One name for one thing: types, exported functions and files whose names stand for two. */
import { posix } from 'node:path';
import { type SourceFile, withoutComments } from './source.ts';

/** `index` is a door, which may wrap what it passes on. */
const SOURCES = /^(?:packages\/[^/]+|web)\/src\/(?!index\.ts$).*\.tsx?$/;
const TYPE = /^(?:export )?(?:declare )?(?:abstract )?(?:interface|type|class) (\w+)/gm;
const EXPORTED = /^export (?:async )?(?:function\*?|const|let|enum) (\w+)/gm;

export const findNameFaults = (files: SourceFile[]): string[] => [
  ...findDeclared(files),
  ...findFiles(files),
];

/** Named after its method and path, in the folder of its API. */
const isEndpoint = (path: string): boolean => /\/http\/.*\/(?:get|post|patch|delete)-[^/]+\.ts$/.test(path);
/** The verifier's door for each framework has the same name. */
const isDoor = (path: string): boolean => /^packages\/verifier\/src\/\w+\.ts$/.test(path);

/** Types, also those of one file, and exported functions and values that two files declare under the same name. */
function findDeclared(files: SourceFile[]): string[] {
  const declared = files
    .filter(({ path }) => SOURCES.test(path))
    .flatMap(({ path, source }) => {
      const code = withoutComments(source);
      const names = [TYPE, EXPORTED].flatMap((form) => [...code.matchAll(form)].map(([, name = '']) => name));
      return [...new Set(names)].map((name) => ({ name, path }));
    });
  return [...Map.groupBy(declared, ({ name }) => name)]
    .map(([name, all]) => ({ name, paths: all.map(({ path }) => path) }))
    .filter(
      ({ name, paths }) =>
        paths.length > 1 && !paths.every(isEndpoint) && !(name === 'curfew' && paths.every(isDoor)),
    )
    .map(({ name, paths }) => `${name} is declared in ${paths.join(' and ')}`);
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
