/** Reads what this project's Dockerfiles and compose files use of those languages, and refuses what it does not know. */

/** The stages: `{ name, from, steps: [{ keyword, text, words, flags }] }`, ARGs before the first FROM already put in. */
export function parseDockerfile(text) {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const args = {};
  const stages = [];
  for (const line of lines) {
    const [, keyword, rest] = /^\s*([A-Z]+)\s+(.*)$/.exec(line) ?? fail(line);
    if (keyword === 'ARG') {
      if (stages.length > 0) fail(line);
      const [, name, value] = /^(\w+)=(\S+)$/.exec(rest) ?? fail(line);
      args[name] = value;
    } else if (keyword === 'FROM') {
      const [, image, name] = /^(\S+)(?:\s+AS\s+(\w+))?$/.exec(rest.trim()) ?? fail(line);
      stages.push({ name, from: image.replace(/\$\{(\w+)\}/, (_, arg) => args[arg]), steps: [] });
    } else if (stages.length === 0) fail(line);
    else stages.at(-1).steps.push({ keyword, ...parts(rest.trim()) });
  }
  return stages;
}

function parts(rest) {
  const flags = {};
  const text = rest.replace(/^(--[\w-]+=\S+\s+)+/, (all) => {
    for (const [, name, value] of all.matchAll(/--([\w-]+)=(\S+)/g)) flags[name] = value;
    return '';
  });
  return { flags, text, words: text.startsWith('[') ? JSON.parse(text) : text.split(/\s+/) };
}

function fail(line) {
  throw new Error(`not understood: ${line}`);
}

/** `NAME=value` pairs of an ENV line. */
export function pairs(words) {
  return Object.fromEntries(
    words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );
}

/** Puts variables in as compose does; an Error names one that `:?` asks for. */
export function interpolate(value, env) {
  if (Array.isArray(value)) return value.map((item) => interpolate(item, env));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolate(item, env)]));
  }
  if (typeof value !== 'string') return value;
  return value.replaceAll(/\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}/g, (all, name, kind, word) => {
    if (all === '$$') return '$';
    const given = env[name] ?? '';
    if (given !== '' || kind === undefined) return given;
    if (kind === '?') throw new Error(`${name}: ${word}`);
    return word;
  });
}

/** A file of `NAME=value` lines. */
export function parseEnvFile(text) {
  return Object.fromEntries([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
}
