/**
 * `node chaos/checker.ts DIRECTORY LEASE_MS SECONDS`: reads what every process of a run recorded and decides whether the guarantee
 * held. It shares no code with what it judges: only the form of the lines. Exit code 1 when anything was wrong, or when
 * too little happened to say that nothing was.
 */
import { readHistory } from './checker/history.ts';
import { judge } from './checker/judge.ts';
import { report } from './checker/report.ts';
import { shortages } from './checker/shortages.ts';

const [directory = '', leaseMs, seconds] = process.argv.slice(2);
const history = readHistory(directory);
const judgement = judge(history, Number(leaseMs));
const missing = shortages(history, judgement, Number(seconds));
process.stdout.write(report(history, judgement, missing));
process.exitCode = judgement.violations.length + missing.length > 0 ? 1 : 0;
