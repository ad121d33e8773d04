/** A server with the paths of the Hugging Face hub; large files lie on a host of their own, as there. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FileServer } from './file-server.ts';

export type HubFiles = Record<string, Buffer>;

export interface HubRepository {
  /** By commit, 40 hex digits. */
  commits: Record<string, HubFiles>;
  /** Branches and tags. */
  refs: Record<string, string>;
  /** Who may read it: everybody, who has the token, or who has it and accepted the terms. */
  access?: 'public' | 'private' | 'gated';
  license?: string;
}

export class HubServer implements AsyncDisposable {
  readonly repositories: Record<string, HubRepository> = {};
  readonly requests: { path: string; authorization: string | undefined }[] = [];
  /** What is accepted as a token. */
  token = 'hf_sesame';
  /** Whether it tells the checksums of large files. */
  checksums = true;
  /** What the hub says of a file instead of what is true. */
  listed: Record<string, { size?: number; sha256?: string }> = {};
  readonly cdn: FileServer;
  readonly #server = createServer((incoming, response) => this.#answer(incoming, response));

  private constructor(cdn: FileServer) {
    this.cdn = cdn;
  }

  static async open(): Promise<HubServer> {
    const server = new HubServer(await FileServer.open(Buffer.alloc(0)));
    await once(server.#server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    const { authorization } = incoming.headers;
    const { pathname } = new URL(incoming.url!, this.url);
    this.requests.push({ path: pathname, authorization });
    const say = (status: number, code?: string) =>
      void response
        .writeHead(status, code === undefined ? {} : { 'x-error-code': code })
        .end('{"error":"no"}');
    const [, api, resolved] =
      /^\/api\/models\/([^/]+\/[^/]+\/revision\/[^/]+)$|^\/([^/]+\/[^/]+\/resolve\/.+)$/.exec(pathname) ?? [];
    const [owner, name, , revision, ...rest] = (api ?? resolved ?? '').split('/');
    const repository = this.repositories[`${owner}/${name}`];
    const known = authorization === `Bearer ${this.token}`;
    if (authorization !== undefined && !known) return say(401);
    if (repository === undefined) return say(known ? 404 : 401, 'RepoNotFound');
    if (repository.access === 'private' && !known) return say(401, 'RepoNotFound');
    if (repository.access === 'gated' && !known) return say(401, 'GatedRepo');
    const asked = decodeURIComponent(revision!);
    const commit = repository.refs[asked] ?? asked;
    const files = repository.commits[commit];
    if (files === undefined) return say(404, 'RevisionNotFound');
    if (api !== undefined) {
      const siblings = Object.entries(files).map(([rfilename, content]) => {
        const { size = content.length, sha256 = sha256Of(content) } = this.listed[rfilename] ?? {};
        return { rfilename, size, ...(isLarge(rfilename) && this.checksums && { lfs: { sha256, size } }) };
      });
      const cardData = repository.license === undefined ? null : { license: repository.license };
      return void response.end(JSON.stringify({ id: `${owner}/${name}`, sha: commit, siblings, cardData }));
    }
    const path = rest.join('/');
    const content = files[path];
    if (content === undefined) return say(404, 'EntryNotFound');
    response.setHeader('x-repo-commit', commit);
    if (!isLarge(path)) return void response.setHeader('etag', `"${sha256Of(content)}"`).end(content);
    // The signature is what lets one in there.
    [this.cdn.content, this.cdn.etag] = [content, `"${sha256Of(content)}"`];
    const location = `${this.cdn.url}?X-Signature=deadbeef`;
    response.writeHead(302, { location, 'x-linked-etag': `"${sha256Of(content)}"` }).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    await this.cdn[Symbol.asyncDispose]();
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function isLarge(path: string): boolean {
  return /\.(onnx|safetensors)$|\.onnx_data/.test(path);
}
