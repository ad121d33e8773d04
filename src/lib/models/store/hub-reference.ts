/** Models of the Hugging Face hub: how a person names one, and how its manifest says that it came from there. */

/** `hf:<owner>/<repository>[@<revision>]` */
export interface HubReference {
  /** Owner and repository, with a slash between. */
  repository: string;
  /** Branch, tag or commit; undefined: the branch `main`. */
  revision: string | undefined;
}

/** The file that a model was made of: what its manifest keeps as `source`. */
export interface HubSource {
  repository: string;
  /** As it was asked for. */
  revision: string;
  /** 40 hex digits: what the revision was then. */
  commit: string;
  /** Path in the repository. */
  file: string;
  /** Of the file, 64 hex digits. */
  sha256: string;
}

const name = String.raw`[A-Za-z0-9](?:[\w.-]{0,94}[\w-])?`;
const path = String.raw`[\w.+-]+(?:/[\w.+-]+)*`;
const reference = new RegExp(`^hf:(${name}/${name})(?:@(${path}))?$`);
const source = new RegExp(`^hf:(${name}/${name})@(${path}) commit ([0-9a-f]{40}) (${path}) sha256:([0-9a-f]{64})$`);

/** Undefined for what is no such reference. */
export function parseHubReference(text: string): HubReference | undefined {
  const [, repository, revision] = reference.exec(text) ?? [];
  if (repository === undefined || text.length > 400 || text.includes('..')) return undefined;
  return { repository, revision };
}

export function hubReferenceText({ repository, revision }: HubReference): string {
  return `hf:${repository}${revision === undefined ? '' : `@${revision}`}`;
}

/** Whether this can be the path of a file in a repository. */
export function isHubFile(text: string): boolean {
  return text.length <= 255 && !text.includes('..') && new RegExp(`^${path}$`).test(text);
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** For the manifest's `source`. */
export function hubSourceText({ repository, revision, commit, file, sha256 }: HubSource): string {
  return `hf:${repository}@${revision} commit ${commit} ${file} sha256:${sha256}`;
}

/** Of a manifest's `source`; undefined where the model came from elsewhere. */
export function parseHubSource(text: string | undefined): HubSource | undefined {
  const [, repository, revision, commit, file, sha256] = source.exec(text ?? '') ?? [];
  if (sha256 === undefined) return undefined;
  return { repository: repository!, revision: revision!, commit: commit!, file: file!, sha256 };
}

/** Whether a model with this `source` is one that is meant; a commit may be told by its first 7 digits. */
export function comesFrom(text: string | undefined, { repository, revision }: HubReference): boolean {
  const from = parseHubSource(text);
  if (from?.repository.toLowerCase() !== repository.toLowerCase()) return false;
  if (revision === undefined || revision === from.revision) return true;
  return /^[0-9a-f]{7,40}$/.test(revision) && from.commit.startsWith(revision);
}
