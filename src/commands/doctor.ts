/** `visionscale doctor`: runs the checks that these settings call for, and prints each as it ends. */
import { Command } from 'commander';
import * as compose from '../compose.ts';
import { printableLines } from '../lib/base/printable.ts';
import { shownOn, styled } from '../lib/base/report/style.ts';
import { indented } from '../lib/base/report/table.ts';
import type { CheckResult } from '../lib/pipeline/doctor/doctor.ts';
import { type Context, servers, modelSettings, runHere, withSettings } from './shared/run.ts';

export function doctorCommand(): Command {
  return withSettings(
    new Command('doctor')
      .description('Check packages, servers, permissions, clocks and the model, and say what to do')
      .addHelpText('after', '\nExample:\n  $ visionscale doctor --model squeezenet1_1.onnx'),
    [...servers, ...modelSettings],
  ).action((_options, command: Command) => runHere(command, examine));
}

/** Loaded when it runs. */
const heavy = () =>
  Promise.all([
    import('../lib/pipeline/doctor/doctor.ts'),
    import('../lib/pipeline/doctor/packages.ts'),
    import('../lib/pipeline/doctor/results.ts'),
    import('../lib/pipeline/doctor/servers.ts'),
  ]);

async function examine(context: Context): Promise<number> {
  const { config } = context;
  const [{ doctor, Opened }, packages, { resultsCheck }, servers] = await heavy();
  await using opened = new Opened();
  const database = opened.once(() => compose.openDatabase(context, 'any'));
  const topic = opened.once(() => compose.openTopic(context, database));
  const results = opened.once(
    async () => (await compose.openResultTopics(context, await database(), await topic()))!,
  );
  const store = opened.once(() => compose.openStore(context));
  const result = await doctor(
    [
      packages.nodeCheck(),
      packages.packageCheck(packages.rdkafkaPackage, config.topic.kind === 'kafka'),
      packages.packageCheck(packages.onnxPackage, config.engine === 'onnx'),
      packages.packageCheck(packages.tfjsPackage, config.engine === 'tfjs'),
      ...servers.databaseChecks(database),
      servers.topicCheck(topic, config.topic.partitions),
      ...(config.resultsTopic ? [resultsCheck({ topic, results, database }, config.pipeline)] : []),
      servers.consumersCheck(database, topic, config.pipeline),
      servers.storeCheck(store, config.limits.maxBytes),
      servers.modelCheck(() => compose.openClassifier(context), config.model !== undefined),
    ],
    (check) => {
      if (!context.json)
        process.stdout.write(`${shownOn(process.stdout, printableLines(lines(check).join('\n')))}\n`);
    },
  );
  context.print(result, () =>
    result.ok ? '\nall required checks passed' : '\nsome required checks failed: see above',
  );
  return result.ok ? 0 : 1;
}

/** Where the details begin in a line: behind the mark and the name. */
const detailPlace = 32;

function lines({ name, state, detail, hint }: CheckResult): string[] {
  const mark = {
    ok: styled('ok', 'ok     '),
    note: 'note   ',
    warning: styled('warning', 'warning'),
    failed: styled('error', 'FAILED '),
  }[state];
  const [first, ...rest] = indented(detail, detailPlace, process.stdout).trimStart().split('\n');
  const lines = [`${mark}  ${name.padEnd(22)} ${first}`, ...rest];
  return hint === undefined ? lines : [...lines, indented(hint, 11, process.stdout)];
}
