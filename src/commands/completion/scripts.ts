/** Completion scripts for shells, from the tree of commands. They hold all they need: no key press starts the program. */
import type { Command, Option } from 'commander';
import { settings } from '../../lib/config/settings/settings.ts';

interface Place {
  /** Names from the top, such as `model pull`; empty for the program itself. */
  path: string;
  commands: { name: string; description: string }[];
  options: {
    short: string | undefined;
    long: string;
    description: string;
    takesValue: boolean;
    values: string[];
  }[];
  /** What its first argument may be, where that is a choice. */
  values: string[];
}

export function completionScript(shell: 'bash' | 'zsh' | 'fish', program: Command): string {
  const all = places(program, '');
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](program.name(), all);
}

function places(command: Command, path: string): Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const below = (name: string) => (path === '' ? name : `${path} ${name}`);
  return [
    {
      path,
      commands: commands.map((part) => ({ name: part.name(), description: part.description() })),
      options: help
        .visibleOptions(command)
        .flatMap((option) => (option.long === undefined ? [] : [described(option, option.long)])),
      values: command.registeredArguments[0]?.argChoices ?? [],
    },
    ...command.commands.flatMap((part) => places(part, below(part.name()))),
  ];
}

function described(option: Option, long: string): Place['options'][number] {
  const { short, description, required, argChoices } = option;
  const values = argChoices ?? settings.find(({ flag }) => flag === long)?.choices ?? [];
  return { short, long, description, takesValue: required, values: [...values] };
}

/** All places where a command may be: `model:pull` for `pull` behind `model`. */
function steps(all: Place[]): string[] {
  return all.flatMap(({ path, commands }) => commands.map(({ name }) => quoted(`${path}:${name}`)));
}

/** Flags whose next word is theirs, whatever the command. */
function valueFlags(all: Place[]): string[] {
  const options = all.flatMap((place) => place.options).filter(({ takesValue }) => takesValue);
  return [...new Set(options.flatMap(names))].sort();
}

function names({ short, long }: Place['options'][number]): string[] {
  return short === undefined ? [long] : [short, long];
}

/** For each flag of a command whose values are known: the cases that it is for, and the values. */
function choices(all: Place[]): { cases: string; values: string }[] {
  return all.flatMap(({ path, options }) =>
    options
      .filter(({ values }) => values.length > 0)
      .map((option) => ({
        cases: names(option)
          .map((name) => quoted(`${path}:${name}`))
          .join('|'),
        values: option.values.join(' '),
      })),
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function bashScript(program: string, all: Place[]): string {
  const flags = valueFlags(all).map((flag) => `*:${flag}`);
  return `# Completes ${program} in bash.
_${program}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at= word commands options i
  # To bash, --flag=value is three words.
  [[ $prev == = ]] && prev=\${COMP_WORDS[COMP_CWORD-2]}
  [[ $cur == = ]] && cur=
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$at:$word" in
      ${steps(all).join('|')}) at="\${at:+$at }$word" ;;
      ${flags.join('|')})
        [[ \${COMP_WORDS[i+1]} == = ]] && ((i++))
        ((i++)) ;;
    esac
  done
  COMPREPLY=()
  case "$at:$prev" in
${choices(all)
  .map(
    ({ cases, values }) => `    ${cases}) COMPREPLY=($(compgen -W ${quoted(values)} -- "$cur")); return ;;`,
  )
  .join('\n')}
    # Everything else may be a file, which bash completes.
    ${flags.join('|')}) return ;;
  esac
  case "$at" in
${all
  .map(({ path, commands, options, values }) => {
    const words = [...commands.map(({ name }) => name), ...values].join(' ');
    return `    ${quoted(path)}) commands=${quoted(words)} options=${quoted(options.flatMap(names).join(' '))} ;;`;
  })
  .join('\n')}
  esac
  [[ $cur == -* ]] && commands=$options
  COMPREPLY=($(compgen -W "$commands" -- "$cur"))
}
complete -o bashdefault -o default -F _${program} ${program}
`;
}

function zshScript(program: string, all: Place[]): string {
  const flags = valueFlags(all).map((flag) => `*:${flag}`);
  const item = (name: string, description: string) => quoted(`${name}:${description.replaceAll(':', '\\:')}`);
  return `#compdef ${program}
# Completes ${program} in zsh.
_${program}() {
  local cur=\${words[CURRENT]} prev=\${words[CURRENT-1]} at= word i
  local -a commands options
  if [[ $cur == --*=* ]]; then
    prev=\${cur%%=*}
    compset -P '*='
  fi
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case "$at:$word" in
      ${steps(all).join('|')}) at="\${at:+$at }$word" ;;
      ${flags.join('|')}) ((i++)) ;;
    esac
  done
  case "$at:$prev" in
${choices(all)
  .map(({ cases, values }) => `    ${cases}) compadd -- ${values}; return ;;`)
  .join('\n')}
    ${flags.join('|')}) _files; return ;;
  esac
  case "$at" in
${all
  .map(({ path, commands, options, values }) => {
    const words = [
      ...commands.map(({ name, description }) => item(name, description)),
      ...values.map((value) => quoted(value)),
    ];
    const flagItems = options.flatMap((option) =>
      names(option).map((name) => item(name, option.description)),
    );
    return `    ${quoted(path)})\n      commands=(${words.join(' ')})\n      options=(${flagItems.join(' ')}) ;;`;
  })
  .join('\n')}
  esac
  if [[ $cur == -* ]]; then
    _describe -o option options
  elif (( $#commands )); then
    _describe command commands
  else
    _files
  fi
}
# As a file of fpath it is called; sourced, it makes itself known.
if [[ \${funcstack[1]} == _${program} ]]; then
  _${program} "$@"
else
  compdef _${program} ${program}
fi
`;
}

function fishScript(program: string, all: Place[]): string {
  const text = (words: string) => `'${words.replaceAll(/[\\']/g, '\\$&')}'`;
  const lines = all.flatMap(({ path, commands, options, values }) => {
    const start = `complete -c ${program} -n ${text(`__${program}_at ${text(path)}`)}`;
    return [
      ...commands.map(({ name, description }) => `${start} -f -a ${name} -d ${text(description)}`),
      ...(values.length > 0 ? [`${start} -f -a ${text(values.join(' '))}`] : []),
      ...options.map(({ short, long, description, takesValue, values: known }) =>
        [
          `${start} -l ${long.slice(2)}`,
          ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
          ...(known.length > 0 ? [`-x -a ${text(known.join(' '))}`] : takesValue ? ['-r'] : []),
          `-d ${text(description)}`,
        ].join(' '),
      ),
    ];
  });
  const paths = all.flatMap(({ path }) => (path === '' ? [] : [text(path)]));
  return `# Completes ${program} in fish.
function __${program}_at
    set -l at
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
        else if contains -- $word ${valueFlags(all).join(' ')}
            set skip 1
        else if contains -- (string join ' ' $at $word) ${paths.join(' ')}
            set -a at $word
        end
    end
    set -l path (string join ' ' $at)
    test "$path" = "$argv[1]"
end
${lines.join('\n')}
`;
}
