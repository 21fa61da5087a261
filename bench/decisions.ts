import { newEnforcer, StringAdapter } from 'casbin';
import type { Question } from '#policies/decision.ts';
import { toCsv } from '#policies/export.ts';
import type { Policies } from '#policies/policies.ts';
import { rulesAsOf } from '#store/rules.ts';
import type { Reader } from '#store/tables.ts';
import { withStore } from '#tests/command-line-steps.ts';
import { seeded, servicesOf } from './county.ts';
import { ask, model, questionsOf } from './county-questions.ts';
import { figureOf, type Result } from './figures.ts';
import type { County } from './gateway.ts';
import { countyPolicies } from './scale-policies.ts';

/**
 * Decisions a second, of processor time: our policies, and one Casbin enforcer that holds the rules of all organisations, as its
 * documentation has it. Round after round on the same questions, and every answer must be the same.
 */
const { env, size, rounds, seconds } = JSON.parse(process.argv[2] ?? '') as County & { rounds: number; seconds: number };
const ORGANISATIONS = 200;
const EACH = 50;
const LEAST = 5;
const nobody = 900_000_000;
const at = Date.now();

process.send?.(await withStore({ dir: '', env }, ({ db }) => measure(db)));
process.once('disconnect', () => process.exit(0));

async function measure(db: Reader): Promise<Result[]> {
  const casbin = await newEnforcer(model, new StringAdapter(toCsv(await rulesAsOf(db, at), at)));
  const questions = await drawn(db);
  const answers = new Map<Question, boolean>();
  const rates = { casbin: [] as number[], first: [] as number[], again: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    let next = round * LEAST;
    rates.casbin.push(
      rateOf(LEAST, () => {
        const question = questions[next++ % questions.length]!;
        answers.set(question, ask(casbin, question));
      }),
    );
    const policies = countyPolicies(db, size, () => at);
    // Their rules come into memory by questions about somebody else.
    for (const question of questions) await policies.decide({ ...question, person: nobody });
    let index = 0;
    const decide = () => decideNow(policies, questions[index++ % questions.length]!);
    rates.first.push(rateOf(questions.length, decide, 0));
    rates.again.push(rateOf(questions.length, decide));
    for (const [question, answer] of answers)
      if (decideNow(policies, question) !== answer) throw new Error(`another answer than Casbin's: ${JSON.stringify(question)}`);
  }
  const of = `${size.organisations.toLocaleString('en-GB')} organisations`;
  return [
    { what: `${of}: one Casbin enforcer for all`, seen: figureOf(rates.casbin) },
    { what: `${of}: ours, asked for the first time`, seen: figureOf(rates.first) },
    { what: `${of}: ours, asked again`, seen: figureOf(rates.again) },
    {
      what: `${of}: ours, for the first time / one enforcer`,
      seen: figureOf(rates.first.map((rate, round) => rate / rates.casbin[round]!)),
    },
  ];
}

/** As many that a grant answers as of any other kind, in an order that goes from one organisation to the next. */
async function drawn(db: Reader): Promise<Question[]> {
  const random = seeded(4);
  const all = await db.selectFrom('organisations').select('id').orderBy('id').limit(ORGANISATIONS).execute();
  const draw = await Promise.all(all.map(({ id }) => questionsOf(db, id, servicesOf(size), at, random)));
  return Array.from({ length: EACH }, (_, number) =>
    draw.map(one => one(number % 2 === 0 ? 'a grant that holds' : 'any right of any member')),
  ).flat();
}

function decideNow(policies: Policies, question: Question): boolean {
  const decision = policies.decide(question);
  if (decision instanceof Promise) throw new Error('the rules of an organisation are missing');
  return decision.outcome === 'allow';
}

/** How often a second of processor time that can be done: at least so many times, and for so long. */
function rateOf(least: number, work: () => void, forMs = seconds * 1000): number {
  const before = process.cpuUsage();
  const end = performance.now() + forMs;
  let done = 0;
  do {
    for (let time = 0; time < least; time += 1) work();
    done += least;
  } while (performance.now() < end);
  const { user, system } = process.cpuUsage(before);
  return done / ((user + system) / 1e6);
}
