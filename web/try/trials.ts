/**
 * Images of the viewer's own on their way through the pipeline, for as long as the page is open: they are sent whichever view is
 * shown. A server that is away or busy is waited for.
 */
import { useEffect, useState } from 'preact/hooks';
import type { Image, Result } from '../shared/answers.ts';
import { ApiError, get, mayPass, sendImage } from '../shared/api.ts';
import { texts } from '../texts.ts';

const { tryIt: t } = texts;

export interface Trial {
  n: number;
  file: File;
  /** Of the request, so that what is sent again counts once. */
  key: string;
  state: 'queued' | 'sending' | 'accepted' | 'done' | 'failed';
  id?: string;
  result?: Result;
  failure?: { text: string; hint?: string | undefined; again: boolean };
}

/** Few, for a browser has six connections to a server, and other views need some. */
const most = { sending: 3, asking: 2 };
/** A server that has fallen silent is taken for one that is away. */
const silentMs = { sending: 300_000, asking: 20_000 };
const pauseMs = { first: 1000, most: 15_000 };

/** The newest first. */
let trials: readonly Trial[] = [];
/** Of those that were accepted, who was asked for the longest ago first. */
const accepted: Trial[] = [];
const busy = { sending: 0, asking: 0 };
let trouble: { text: string; pauseMs: number } | undefined;
const watchers = new Set<(now: Trials) => void>();

export interface Trials {
  trials: readonly Trial[];
  /** Why nothing can be sent now. */
  trouble: string | undefined;
}

export function useTrials(): Trials {
  const [now, setNow] = useState(current);
  useEffect(() => {
    setNow(current());
    watchers.add(setNow);
    return () => void watchers.delete(setNow);
  }, []);
  return now;
}

export function send(files: readonly File[]): void {
  const added = files.map((file): Trial => ({ n: (count += 1), file, key: freshKey(), state: 'queued' }));
  trials = [...added.toReversed(), ...trials];
  tell();
  next();
}

/** Those that failed, where another time may help. */
export function sendAgain(which: readonly Trial[]): void {
  for (const trial of which) {
    delete trial.failure;
    trial.state = 'queued';
  }
  tell();
  next();
}

export type Counts = Record<'chosen' | 'sent' | 'classified' | 'failed' | 'waiting', number>;

export function countsOf(all: readonly Trial[]): Counts {
  const n = (is: (trial: Trial) => boolean) => all.filter(is).length;
  return {
    chosen: all.length,
    sent: n(({ id }) => id !== undefined),
    classified: n(({ state }) => state === 'done'),
    failed: n(({ state }) => state === 'failed'),
    waiting: n(isUnsent),
  };
}

function isUnsent({ state }: Trial): boolean {
  return state === 'queued' || state === 'sending';
}

let count = 0;

/** `crypto.randomUUID` is only there where the page came over TLS or from this machine. */
function freshKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, '0')).join('');
}

function current(): Trials {
  return { trials, trouble: trouble?.text };
}

function tell(): void {
  for (const watch of watchers) watch(current());
  if (trials.some(isUnsent)) addEventListener('beforeunload', askFirst);
  else removeEventListener('beforeunload', askFirst);
}

/** Files that wait would be lost. */
function askFirst(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

/** In the order in which they were chosen. While there is trouble one tries for all. */
function next(): void {
  while (busy.sending + busy.asking === 0 || trouble === undefined) {
    const trial =
      busy.sending < most.sending ? trials.findLast(({ state }) => state === 'queued') : undefined;
    if (trial !== undefined) {
      trial.state = 'sending';
      start('sending', trial, sendOne);
      continue;
    }
    const asked = busy.asking < most.asking ? accepted.shift() : undefined;
    if (asked === undefined) break;
    start('asking', asked, askForOne);
  }
  tell();
}

function start(what: keyof typeof busy, trial: Trial, run: (trial: Trial) => Promise<void>): void {
  busy[what]++;
  void run(trial)
    .then(
      () => void (trouble = undefined),
      (error: unknown) => fail(trial, error),
    )
    .finally(() => {
      busy[what]--;
      next();
    });
}

async function sendOne(trial: Trial): Promise<void> {
  trial.id = (await sendImage(trial.file, trial.key, AbortSignal.timeout(silentMs.sending))).id;
  trial.state = 'accepted';
  accepted.push(trial);
}

async function askForOne(trial: Trial): Promise<void> {
  const path = `/v1/images/${encodeURIComponent(trial.id!)}?wait=5s`;
  const { result, failure } = await get<Image>(path, AbortSignal.timeout(silentMs.asking));
  if (result !== null) Object.assign(trial, { state: 'done', result });
  else if (failure === null) accepted.push(trial);
  else {
    trial.state = 'failed';
    trial.failure = { text: `${failure.message} (${failure.code})`, again: false };
  }
}

/** Resolves when another try may be made. */
async function fail(trial: Trial, error: unknown): Promise<void> {
  // An answer may be cut off, too.
  let told = error instanceof ApiError ? error : new ApiError(0, String(error));
  // A browser tells the two by the same error.
  if (told.status === 0 && !(await isReadable(trial.file))) told = new ApiError(400, t.unreadable);
  const { status, message, hint } = told;
  // What fails within the server may do so for this image alone.
  if (!mayPass(told) || status === 500) {
    trial.state = 'failed';
    trial.failure = { text: message, hint, again: status === 408 || status === 500 };
    return;
  }
  if (trial.state === 'sending') trial.state = 'queued';
  else accepted.unshift(trial);
  const pause = Math.min(trouble === undefined ? pauseMs.first : 2 * trouble.pauseMs, pauseMs.most);
  trouble = { text: status === 0 ? texts.lost : t.busy(message), pauseMs: pause };
  tell();
  await new Promise((resolve) => setTimeout(resolve, pause));
}

/** Not a folder, and not gone since it was chosen. */
async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
