/** Bins that are edited: tried on results that are there, put in force, and taken back. */
import type { ModelAnswers } from '../../../models/store/model-answers.ts';
import { faultLines, noteLines, unknownNote } from '../../../systems/bins/check-lines.ts';
import { checkRules, hasFaults } from '../../../systems/bins/check.ts';
import { parseRules } from '../../../systems/bins/rules-file.ts';
import type { BinRules } from '../../../systems/bins/rules.ts';
import { tryRules } from '../../../systems/bins/try.ts';
import { readBins, useBins } from '../../../systems/database/tables/bins.ts';
import { latestResults } from '../../../systems/database/tables/predictions.ts';
import { listSwitches } from '../../../systems/database/tables/switches.ts';
import { jsonBody } from '../admission/json-body.ts';
import { accountOf, type App, refuseOtherMethods, type SharedByRoutes } from '../context.ts';
import { Problem, refusedAs } from '../problem.ts';
import * as schemas from '../schemas/bins.ts';
import { answer, historyQuery, problems } from '../schemas/common.ts';

const triedResults = 1000;
/** Each is held to every label. The command takes more. */
const mostPatterns = 2000;
/** Lines about rules in an answer at most. */
const mostLines = 100;

export function binRoutes(app: App, { deps, options }: SharedByRoutes): void {
  const { pool } = deps;
  const { pipeline } = options;
  const answers = async () => (await deps.answers?.()) ?? null;

  app.get(
    '/v1/bins/history',
    {
      schema: {
        summary: 'Who changed the bins, the latest first',
        querystring: historyQuery,
        response: {
          200: answer('The changes', schemas.binHistory),
          ...problems(400, 401, 403),
        },
      },
    },
    async ({ query: { limit } }) => ({
      switches: (await listSwitches(pool, pipeline, 'bins', limit)).map(({ former, current, ...rest }) => ({
        ...rest,
        former: former === null ? null : Number(former),
        current: Number(current),
      })),
    }),
  );

  app.post(
    '/v1/bins/try',
    {
      config: { right: 'operate' },
      schema: {
        summary: 'What rules would have done with the last 1,000 results; changes nothing',
        response: {
          200: answer('What would change', schemas.triedBins),
          ...problems(400, 401, 403, 413, 415),
        },
      },
    },
    async (request) => {
      const rules = rulesOf((await jsonBody(request, schemas.tryBins)).rules);
      const [model, active, results] = await Promise.all([
        answers(),
        readBins(pool, pipeline),
        latestResults(pool, { pipeline, limit: triedResults }),
      ]);
      const { faults, notes } = toldOf(rules, model);
      return {
        version: active?.version ?? null,
        checked: model !== null,
        faults,
        notes,
        ...tryRules(active?.rules ?? null, rules, results),
      };
    },
  );

  const used = {
    200: answer('They are in force', schemas.binsUsed),
    ...problems(400, 401, 403, 409, 413, 415),
  };
  app.post(
    '/v1/bins/use',
    {
      config: { right: 'operate' },
      schema: { summary: 'Put rules in force, from the next message on', response: used },
    },
    async (request) => {
      const { rules, source, version, force } = await jsonBody(request, schemas.useBins);
      const parsed = rulesOf(rules);
      if (!force) refuseFaults(parsed, await answers());
      const how = { instead: version, account: accountOf(request) };
      return useBins(pool, pipeline, parsed, source, how).catch(refusedAs({ bins_changed: 409 }));
    },
  );
  app.post(
    '/v1/bins/rollback',
    {
      config: { right: 'operate' },
      schema: { summary: 'Go back to the rules before the latest change', response: used },
    },
    async (request) => {
      const { version, force } = await jsonBody(request, schemas.rollbackBins);
      const [latest] = await listSwitches(pool, pipeline, 'bins', 1);
      const former = latest?.former == null ? null : await readBins(pool, pipeline, Number(latest.former));
      if (former === null) throw new Problem(409, 'no_former', `pipeline ${pipeline} has no previous bins`);
      if (!force) refuseFaults(former.rules, await answers());
      const how = { instead: version, account: accountOf(request) };
      return useBins(pool, pipeline, former.rules, former.source, how).catch(
        refusedAs({ bins_changed: 409 }),
      );
    },
  );
  refuseOtherMethods(app, '/v1/bins/history', ['GET', 'HEAD']);
  for (const url of ['/v1/bins/try', '/v1/bins/use', '/v1/bins/rollback'])
    refuseOtherMethods(app, url, ['POST']);
}

/** Throws a Problem: 400 with every fault, 413. */
function rulesOf(text: string): BinRules {
  if (Buffer.byteLength(text) > schemas.mostRulesBytes)
    throw new Problem(413, 'too_large', `the rules are larger than ${schemas.mostRulesBytes} bytes`);
  let rules: BinRules;
  try {
    rules = parseRules(text);
  } catch (error) {
    return refusedAs({ bins_invalid: 400 })(error);
  }
  const patterns = rules.bins.reduce((sum, { classes }) => sum + classes.length, 0);
  if (patterns <= mostPatterns) return rules;
  throw new Problem(413, 'too_large', `the rules have more than ${mostPatterns} classes and globs`, {
    hint: 'Use the command: visionscale bins use <file>',
  });
}

function toldOf(rules: BinRules, model: ModelAnswers | null): { faults: string[]; notes: string[] } {
  if (model === null) return { faults: [], notes: [] };
  const checked = checkRules(rules, model.labels);
  return {
    faults: hasFaults(checked) ? faultLines(checked).slice(0, mostLines) : [],
    notes: [...noteLines(checked, rules.manual), ...unknownNote(rules, model)].slice(0, mostLines),
  };
}

function refuseFaults(rules: BinRules, model: ModelAnswers | null): void {
  if (model === null)
    throw new Problem(409, 'no_model', 'there is no model to check the bins against', {
      hint: 'Choose one first, or use them unchecked with "force": true.',
    });
  const { faults } = toldOf(rules, model);
  if (faults.length === 0) return;
  throw new Problem(409, 'bins_unknown_labels', faults.join('\n').slice(0, 2000), {
    hint: 'Correct them, or use them as they are with "force": true.',
  });
}
