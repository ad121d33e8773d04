/** A port that stays the same for as long as `up` runs, so that what other terminals were told goes on being true. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** The wanted port where it is free, or asked for by name; else any free one. 0 wants any. */
export async function choosePort(host: string, wanted: number, isAskedFor: boolean): Promise<number> {
  if (isAskedFor && wanted !== 0) return wanted;
  return (await freePort(host, wanted)) ?? (await freePort(host, 0)) ?? wanted;
}

/** Null where it cannot be listened on. */
async function freePort(host: string, port: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen({ host, port });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  } catch {
    return null;
  } finally {
    server.close();
  }
}
