/** The program: names the commands. Their parts are loaded only when one of them runs. */
import { Command } from 'commander';
import { auditCommand } from './commands/audit/command.ts';
import { benchCommand } from './commands/bench/command.ts';
import { binsCommand } from './commands/bins/command.ts';
import { classifyCommand } from './commands/classify/command.ts';
import { completionCommand } from './commands/completion/command.ts';
import { consumeCommand } from './commands/consume/command.ts';
import { correctCommand } from './commands/correct.ts';
import { deadLettersCommand } from './commands/dead-letters/command.ts';
import { demoCommand } from './commands/demo/command.ts';
import { doctorCommand } from './commands/doctor.ts';
import { evaluateCommand } from './commands/evaluate/command.ts';
import { initCommand } from './commands/init.ts';
import { modelCommand } from './commands/model/command.ts';
import { produceCommand } from './commands/produce/command.ts';
import { pruneCommand } from './commands/prune.ts';
import { resultsCommand } from './commands/results/command.ts';
import { serveCommand } from './commands/serve/command.ts';
import { withHelp } from './commands/shared/help.ts';
import { statusCommand } from './commands/status.ts';
import { topicCommand } from './commands/topic.ts';
import { trainCommand } from './commands/train/command.ts';
import { upCommand } from './commands/up/command.ts';
import { uploadCommand } from './commands/upload.ts';
import { watchCommand } from './commands/watch/command.ts';
import { packageVersion } from './lib/base/package.ts';

export function buildProgram(): Command {
  const program = new Command('visionscale')
    .description('Classifies images in a stream: Kafka in, SqueezeNet, a database row out.')
    .version(packageVersion(), '-V, --version', 'Show the version')
    // What follows a part of a command is the part's, as in `results export --limit 5`.
    .enablePositionalOptions();
  for (const [heading, commands] of Object.entries(groups())) {
    program.commandsGroup(`${heading}:`);
    for (const command of commands) program.addCommand(command.exitOverride());
  }
  program.commandsGroup('Other:').addCommand(completionCommand().exitOverride());
  program.addHelpText(
    'after',
    '\nExample:\n  $ visionscale demo\n\n' +
      'Settings come from flags, the environment and .env; see .env.example and\n`visionscale doctor`.',
  );
  return withHelp(program.exitOverride());
}

/** By what they are for, in the order of `--help`. */
function groups(): Record<string, Command[]> {
  return {
    'Start here': [demoCommand(), classifyCommand(), upCommand(), initCommand()],
    Run: [uploadCommand(), produceCommand(), watchCommand(), consumeCommand(), serveCommand(), binsCommand()],
    Look: [statusCommand(), resultsCommand(), auditCommand(), benchCommand()],
    Models: [modelCommand(), trainCommand(), evaluateCommand(), correctCommand()],
    Mend: [doctorCommand(), deadLettersCommand(), topicCommand(), pruneCommand()],
  };
}
