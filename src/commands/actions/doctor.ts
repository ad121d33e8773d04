/** What `doctor` does: runs the checks that these settings call for, and prints each as it ends. */
import * as compose from '../../compose.ts';
import { printableLines } from '../../lib/base/printable.ts';
import { doctor, Opened } from '../../lib/pipeline/doctor/doctor.ts';
import * as packages from '../../lib/pipeline/doctor/packages.ts';
import { resultsCheck } from '../../lib/pipeline/doctor/results.ts';
import * as servers from '../../lib/pipeline/doctor/servers.ts';
import type { Context } from '../run.ts';

export default async function (context: Context): Promise<number> {
  const { config } = context;
  await using opened = new Opened();
  const database = opened.once(() => compose.openDatabase(context, 'any'));
  const topic = opened.once(async () => compose.openTopic(context, await database()));
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
      servers.storeCheck(store, config.limits.maxBytes),
      servers.modelCheck(() => compose.openClassifier(context), config.model !== undefined),
    ],
    (check) => {
      if (context.json) return;
      const mark = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' }[check.state];
      const lines = [`${mark}  ${check.name.padEnd(22)} ${check.detail}`];
      if (check.hint !== undefined) lines.push(check.hint.replaceAll(/^/gm, ' '.repeat(11)));
      process.stdout.write(`${printableLines(lines.join('\n'))}\n`);
    },
  );
  context.print(result, () =>
    result.ok ? '\neverything needed is there' : '\nsomething needed is missing: see above',
  );
  return result.ok ? 0 : 1;
}
