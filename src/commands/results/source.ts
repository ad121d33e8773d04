/** Flags that say where predictions come from: `results` and its parts have them. */
import type { Command } from 'commander';

export function fromSource(command: Command): Command {
  return command
    .option('--model <name[@version]>', 'Only predictions of this model')
    .option('--belt <name>', 'Only images from this belt')
    .option('--consumer <host>', 'Only predictions made on this host');
}

export interface SourceFlags {
  model?: string;
  belt?: string;
  consumer?: string;
}

export function sourceFilter({ model, belt, consumer }: SourceFlags): SourceFlags {
  return {
    ...(model !== undefined && { model }),
    ...(belt !== undefined && { belt }),
    ...(consumer !== undefined && { consumer }),
  };
}
