/** Starts a keeper that outlives this process. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import { parse } from 'node:path';
import { DatabaseError } from '../../../../base/errors.ts';
import { compiledFile } from '../../../../base/package.ts';
import { giveToOwnerOfParent, unusable } from '../files.ts';
import type { Files } from '../files.ts';
import { cleanEnvironment } from '../processes.ts';
import { fromFailure } from './protocol.ts';
import type { KeeperSettings, SpawnMessage } from './protocol.ts';

/** Resolves when it holds the lock, or has found that another keeper does. */
export async function spawnKeeper(settings: KeeperSettings, files: Files): Promise<void> {
  const entry = compiledFile('lib/systems/database/embedded/keeper/keeper');
  // Its own log goes the same way; this is for what Node says when it cannot even start.
  const output = await open(files.log, 'a', 0o600).catch((error: unknown) => {
    throw unusable(settings.dataDir, error);
  });
  try {
    await giveToOwnerOfParent(files.log);
    const child = spawn(process.execPath, [entry, JSON.stringify(settings)], {
      detached: true, // a session of its own: no Ctrl-C, no hang-up of this terminal
      cwd: parse(process.cwd()).root,
      env: cleanEnvironment,
      stdio: ['ignore', output.fd, output.fd, 'ipc'],
    });
    await firstWord(child, files);
    child.unref();
  } finally {
    await output.close();
  }
}

function firstWord(child: ChildProcess, files: Files): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(
        new DatabaseError(`the keeper of the embedded PostgreSQL ended (${signal ?? `exit ${code}`})`, {
          code: 'embedded_postgres_failed',
          retryable: signal !== null,
          hint: `See ${files.log}.`,
        }),
      );
    });
    child.once('message', (message: SpawnMessage) => {
      child.removeAllListeners('exit');
      if (child.connected) child.disconnect();
      if (message.state === 'failed') reject(fromFailure(message.error));
      else resolve();
    });
  });
}
