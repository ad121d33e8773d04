/** `visionscale completion` */
import { Argument, Command } from 'commander';

const shells = ['bash', 'zsh', 'fish'] as const;

export function completionCommand(): Command {
  return (
    new Command('completion')
      .description('Print a script that completes commands and flags in a shell')
      .addArgument(new Argument('<shell>', 'Shell to complete in').choices(shells))
      .addHelpText(
        'after',
        '\nExample:\n  $ source <(visionscale completion bash)     # in ~/.bashrc\n' +
          '  $ source <(visionscale completion zsh)      # in ~/.zshrc, below compinit\n' +
          '  $ visionscale completion fish > ~/.config/fish/completions/visionscale.fish',
      )
      // Not by way of `run`: a fault in the settings must not reach every shell that starts.
      .action(async (shell: (typeof shells)[number], _options, command: Command) => {
        const { completionScript } = await import('./scripts.ts');
        process.stdout.write(completionScript(shell, command.parent!));
      })
  );
}
