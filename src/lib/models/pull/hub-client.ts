/** Asks the Hugging Face hub, or a mirror of it, what a repository holds, and gets its files; refusals say what to do. */
import { z } from 'zod';
import { UsageError, VisionscaleError } from '../../base/errors.ts';
import { hubReferenceText, isCommit, type HubReference } from '../store/hub-reference.ts';
import { download, type DownloadOptions } from './download.ts';

/** As the environment has them. */
export interface HubSettings {
  endpoint: string;
  /** Sent to the endpoint alone. */
  token?: string;
}

export interface HubClientOptions extends Pick<
  DownloadOptions,
  'directory' | 'proxy' | 'signal' | 'report' | 'timeoutMs'
> {
  hub: HubSettings;
}

/** A repository at one of its commits. */
export interface Repository {
  /** 40 hex digits. */
  commit: string;
  /** As the repository says. */
  license: string | undefined;
  /** By path; size and sha256 (64 hex digits) as the hub tells them, where it does. */
  files: ReadonlyMap<string, { bytes: number | undefined; sha256: string | undefined }>;
}

/** Larger answers and settings are not read, in bytes. */
const maxTextBytes = 16 * 2 ** 20;

const description = z.looseObject({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z
    .array(
      z.looseObject({
        rfilename: z.string().max(1000),
        size: z.int().nonnegative().nullish(),
        lfs: z.looseObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/).nullish() }).nullish(),
      }),
    )
    .max(100_000),
  cardData: z.looseObject({ license: z.unknown() }).nullish(),
});

/** The endpoint without a slash at its end, and the token. Throws a UsageError that repeats neither. */
export function checkedHub({ endpoint, token }: HubSettings): HubSettings {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const more = url === undefined ? '' : `${url.username}${url.password}${url.search}${url.hash}`;
  if (url === undefined || !/^https?:$/.test(url.protocol) || more !== '') {
    throw new UsageError(
      'HF_ENDPOINT must be an http:// or https:// URL without a user or a query',
      'Leave it out for https://huggingface.co. A token goes into HF_TOKEN.',
    );
  }
  const word = token?.trim();
  if (word !== undefined && !/^[\x21-\x7e]{1,1000}$/.test(word))
    throw new UsageError('HF_TOKEN must be one word', 'Copy it as the hub shows it, or leave it out for public models.');
  return { endpoint: endpoint.replace(/\/+$/, ''), ...(word !== undefined && { token: word }) };
}

/** What the repository holds at the revision, which becomes a commit. Throws as `download` does, and `model_not_found`, `hub_refused`. */
export async function describeRepository(
  reference: HubReference,
  options: HubClientOptions,
): Promise<Repository> {
  const { endpoint } = options.hub;
  const { repository, revision = 'main' } = reference;
  const url = `${endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const parsed = description.safeParse(json(await get(url, maxTextBytes, reference, quietly(options))));
  if (!parsed.success || (isCommit(revision) && parsed.data.sha !== revision)) {
    throw new VisionscaleError(`${endpoint} does not tell what ${hubReferenceText(reference)} holds`, {
      code: 'download_failed',
      hint: 'HF_ENDPOINT must be the address of the Hugging Face hub or of a mirror with its API.',
    });
  }
  const { sha, siblings, cardData } = parsed.data;
  const license = cardData?.license;
  return {
    commit: sha,
    license: typeof license === 'string' && /^[\w.+-]{1,60}$/.test(license) ? license : undefined,
    files: new Map(
      siblings.map(({ rfilename, size, lfs }) => [
        rfilename,
        { bytes: size ?? undefined, sha256: lfs?.sha256 ?? undefined },
      ]),
    ),
  };
}

/** A file of the commit, of at most `maxBytes` bytes. Throws as `describeRepository` does. */
export function getFile(
  reference: HubReference,
  { commit, path, maxBytes }: { commit: string; path: string; maxBytes: number },
  options: HubClientOptions,
): Promise<Uint8Array> {
  const url = `${options.hub.endpoint}/${reference.repository}/resolve/${commit}/${path}`;
  return get(url, maxBytes, reference, options);
}

/** A small file, whose progress nobody waits for. */
export function getText(
  reference: HubReference,
  file: { commit: string; path: string },
  options: HubClientOptions,
): Promise<Uint8Array> {
  return getFile(reference, { ...file, maxBytes: maxTextBytes }, quietly(options));
}

function get(
  url: string,
  maxBytes: number,
  reference: HubReference,
  { hub, ...options }: HubClientOptions,
): Promise<Uint8Array> {
  return download({
    ...options,
    url,
    maxBytes,
    token: hub.token,
    explain: (status, reason) => explained(status, reason, reference, hub),
    instead: 'add it, with its config.json and preprocessor_config.json beside it: visionscale model add <directory>',
  });
}

function quietly(options: HubClientOptions): HubClientOptions {
  const { report } = options;
  return { ...options, report: (event) => event.kind === 'retrying' && report?.(event) };
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** The hub answers 401 for what is not there, so that nobody learns what is private. */
function explained(
  status: number,
  reason: string | undefined,
  reference: HubReference,
  { endpoint, token }: HubSettings,
): VisionscaleError | undefined {
  const { repository, revision = 'main' } = reference;
  const page = `${endpoint}/${repository}`;
  if (status === 404 && reason === 'RevisionNotFound') {
    return notThere(`hf:${repository} has no revision ${JSON.stringify(revision)}`, `See its commits: ${page}/commits/main`);
  }
  if (status === 404 && reason === 'EntryNotFound')
    return notThere(`the hub lists a file of hf:${repository} that it does not have`, `See its files: ${page}/tree/main`);
  if (status !== 401 && status !== 403 && status !== 404) return undefined;
  if (reason === 'GatedRepo') {
    const then = token === undefined ? 'set HF_TOKEN to a token of your account' : 'wait until your account is let in';
    return refusal(`hf:${repository} is gated`, `Accept its terms at ${page}, then ${then}.`);
  }
  if (status === 404 || reason === 'RepoNotFound') {
    const secret =
      token === undefined
        ? 'A private model needs HF_TOKEN.'
        : 'A private model needs an HF_TOKEN that may read it.';
    return notThere(`the hub has no model hf:${repository}, or does not show it`, `Check the name. ${secret}`);
  }
  return token === undefined
    ? refusal(`the hub does not give hf:${repository} to everybody`, 'Set HF_TOKEN to a token that may read it.')
    : refusal(
        `the hub does not accept HF_TOKEN for hf:${repository}`,
        `Use a token that is valid and may read it, or none for a public model. Tokens: ${endpoint}/settings/tokens`,
      );
}

function notThere(message: string, hint: string): VisionscaleError {
  return new VisionscaleError(message, { code: 'model_not_found', hint });
}

function refusal(message: string, hint: string): VisionscaleError {
  return new VisionscaleError(message, { code: 'hub_refused', hint });
}
