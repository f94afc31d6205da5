import { redact } from '../../system/log.ts';
import { explain } from '../explain.ts';

/** A finding of the doctor. Only a problem makes the configuration unfit. */
export interface Finding {
  state: 'ok' | 'warning' | 'problem';
  /** A setting, or what was examined. */
  about: string;
  sentence: string;
}

/** Collects findings; none of them holds a secret. */
export class Findings {
  readonly all: Finding[] = [];

  ok(about: string, sentence: string): void {
    this.#add('ok', about, sentence);
  }

  warning(about: string, sentence: string): void {
    this.#add('warning', about, sentence);
  }

  problem(about: string, sentence: string): void {
    this.#add('problem', about, sentence);
  }

  /** Examines something; a failure to do so is a problem. */
  async look(about: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { sentence } = explain(error);
      // The message of a setting begins with its name, which is printed already.
      this.problem(about, sentence.startsWith(`${about}: `) ? sentence.slice(about.length + 2) : sentence);
    }
  }

  get problems(): number {
    return this.all.filter(({ state }) => state === 'problem').length;
  }

  #add(state: Finding['state'], about: string, sentence: string): void {
    this.all.push({ state, about, sentence: redact(sentence) });
  }
}
