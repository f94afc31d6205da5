import type { z } from 'zod';
import { type Config, ConfigError, type Environment, readConfig } from './config.ts';
import { SETTINGS } from './settings.ts';

type SettingsTable = typeof SETTINGS;

/** `BASE_PATH` as `basePath`. */
type CamelCase<Text extends string> = Text extends `${infer First}_${infer Rest}`
  ? `${Lowercase<First>}${Capitalize<CamelCase<Rest>>}`
  : Lowercase<Text>;
type OptionName<Name extends string> = CamelCase<Name extends `CURFEW_${infer Rest}` ? Rest : Name>;

/** The settings as options of a program: `CURFEW_BASE_PATH` is `basePath`, lists are arrays, numbers are numbers. */
export type SettingOptions = {
  readonly [Name in keyof SettingsTable as OptionName<Name>]?:
    | Value<z.output<SettingsTable[Name]['form']>>
    | undefined;
};
type Value<Output> = Output extends readonly (infer Item)[] ? readonly Item[] : Output;

/** The name of a setting's option. */
export function optionOf(setting: string): string {
  return setting
    .replace(/^CURFEW_/, '')
    .toLowerCase()
    .replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

const BY_OPTION = new Map(Object.keys(SETTINGS).map((setting) => [optionOf(setting), setting]));

/**
 * Reads settings given as texts and as options. An option counts before the text of the same setting.
 * @throws ConfigError for the first fault, by the name that the program used
 */
export function readSettings(settings: Environment, options: Readonly<Record<string, unknown>>): Config {
  const environment = { ...settings };
  const given = new Map<string, string>();
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const setting = BY_OPTION.get(option);
    if (setting === undefined)
      throw new ConfigError(option, 'no such option. docs/settings.md lists all options.');
    environment[setting] = textOf(option, value);
    given.set(setting, option);
  }
  try {
    return readConfig(environment);
  } catch (error) {
    const option = error instanceof ConfigError ? given.get(error.setting) : undefined;
    if (option === undefined) throw error;
    const { message, setting } = error as ConfigError;
    throw new ConfigError(option, message.slice(`${setting}: `.length));
  }
}

function textOf(option: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (!Array.isArray(value))
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
  if (value.some((item) => typeof item !== 'string' || item.includes(',')))
    throw new ConfigError(option, 'must be an array of texts without commas.');
  return value.join(',');
}
