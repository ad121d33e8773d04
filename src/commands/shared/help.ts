/** How help looks: short terms, bold titles, and a command's own options before those that most commands have. */
import { styleText } from 'node:util';
import { type Command, Help, type Option } from 'commander';
import { shownOn, styled } from '../../lib/base/report/style.ts';

const plainHelp = new Help();
const commonHeading = 'Common options:';

/** What `visionscale` alone says. */
export const welcome = `visionscale classifies images, in a folder or in a stream from Kafka to a database.

Start here:
  visionscale demo                       Run the whole pipeline once, on this machine
  visionscale model pull squeezenet1_1   Download a model for photos (5 MB)
  visionscale classify ./photos --local  Classify the images in a folder

All commands: visionscale --help
`;

/** An option that most commands have: listed only by --help-all. */
export function common(option: Option): Option {
  return option.helpGroup(commonHeading);
}

/** Of a command and its parts: they inherit nothing of how help looks. */
export function withHelp(command: Command): Command {
  let showsAll = false;
  command.helpOption('-h, --help', 'Show help');
  if (command.commands.length > 0) command.helpCommand('help [command]', 'Show help for a command');
  const isCommon = (option: Option) => option.helpGroupHeading === commonHeading;
  if (command.options.some(isCommon)) {
    command.option('--help-all', 'Show help with all options').on('option:help-all', () => {
      showsAll = true;
      command.help();
    });
    command.options.at(-1)!.hideHelp();
  }
  command.configureHelp({
    // Without arguments and options: their list is one command further, and the descriptions need the room.
    subcommandTerm: (part) => part.name(),
    // Commander takes the codes out again where the reader is no terminal.
    styleTitle: (title) => styleText('bold', title, { validateStream: false }),
    // An empty list is how a flag that can be repeated begins.
    optionDescription: (option) => plainHelp.optionDescription(option).replace(' (default: [])', ''),
    longestOptionTermLength: (of, helper) =>
      Math.max(
        0,
        ...helper
          .visibleOptions(of)
          .filter((option) => showsAll || !isCommon(option))
          .map((option) => helper.optionTerm(option).length),
      ),
    formatItemList(heading, items, helper) {
      if (heading === commonHeading && !showsAll) {
        return [`${helper.styleTitle(heading)} see ${pathOf(command)} --help-all`, ''];
      }
      return items.length === 0 ? [] : [helper.styleTitle(heading), ...items, ''];
    },
  });
  // Commander's own errors are told here too: with --json as a document, from main.ts.
  command.configureOutput({
    outputError(text, write) {
      if (asksForJson()) return;
      write(shownOn(process.stderr, `${styled('error', text)}(run with --help for usage)\n`));
    },
  });
  command.commands.forEach(withHelp);
  return command;
}

/** Whether the command line has --json, also one with a fault in it. */
export function asksForJson(): boolean {
  const words = process.argv.slice(2);
  const end = words.indexOf('--');
  return words.slice(0, end < 0 ? undefined : end).includes('--json');
}

/** `visionscale model pull` */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
