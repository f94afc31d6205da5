/**
 * `node chaos/checker.ts DIRECTORY LEASE_MS SECONDS`: reads what every process of a run recorded and decides whether the guarantee held. It
 * shares no code with what it judges, only the format of the lines. The exit code is 1 if it finds a fault, or if too little happened for a
 * verdict. With `--so-far` it only says what a run that still goes on has too little of.
 */
import { readHistory } from './checker/history.ts';
import { judge } from './checker/judge.ts';
import { report } from './checker/report.ts';
import { shortages } from './checker/shortages.ts';

const [directory = '', leaseMs, seconds, soFar] = process.argv.slice(2);
const history = readHistory(directory);
const judgement = judge(history, Number(leaseMs));
const missing = shortages(history, judgement, Number(seconds));
if (soFar === '--so-far') {
  // It does not report faults yet, because lines that excuse them may not be written yet.
  process.stdout.write(missing.join('\n'));
  process.exitCode = missing.length === 0 ? 0 : 1;
} else {
  if (!history.marks.has('last look ends')) missing.push('the last look: it did not come to its end');
  process.stdout.write(report(history, judgement, missing));
  process.exitCode = judgement.violations.length + missing.length > 0 ? 1 : 0;
}
