/** `visionscale audit` */
import { Command } from 'commander';
import { countAbove0 } from '../shared/arguments.ts';
import { infrastructure, run, withSettings } from '../shared/run.ts';
import type { AuditFlags } from './action.ts';

const classes = `
For one pipeline and topic, compares the rows of image_info, the topic's
messages, the predictions, the dead letters and the object store, and names
every key that is

  missing     a message before the recorded position whose request has neither a
              prediction nor a dead letter; an image marked as produced with no
              outcome and no message; a row whose object is gone (unless a dead
              letter says so)
  doubled     a request with a prediction and an open dead letter; a message
              recorded as two requests; two predictions for one round of an
              image
  orphaned    a prediction or dead letter that nothing asked for; with
              --objects, an object that nothing names
  mismatched  an outcome whose request id names another image; a message with
              the request id of another image's outcome

Exit code 1 if there is any such key. Messages that no consumer has taken yet
and images not yet produced are counted, but not as missing: an audit can run at
any time. Messages count whoever sent them. Outcomes of messages that the topic
has deleted since, and that no row names, are counted as unverifiable.

Example:
  $ visionscale audit --pipeline default --json`;

export function auditCommand(): Command {
  return withSettings(
    new Command('audit')
      .description(
        'Compare images, topic, predictions, dead letters and objects, and name what is missing or doubled',
      )
      .option('-n, --limit <n>', 'Most keys of each class to list (all are counted)', countAbove0, 1000)
      .option('--objects', 'Report objects that no row, message, prediction or dead letter names as orphaned')
      .option('--no-objects', 'Do not look at the object store')
      .addHelpText('after', classes),
    infrastructure,
  ).action((options: AuditFlags, command: Command) => run(command, () => import('./action.ts'), options));
}
