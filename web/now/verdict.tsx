/** The first line of Now: that all is well, or what to do first, with where or how. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Status } from '../shared/answers.ts';
import { driftPlace, driftSentence } from '../shared/drift.tsx';
import { age, moment } from '../shared/format.ts';
import { texts } from '../texts.ts';

const { verdict: t } = texts;

type Kind = Status['verdict']['kind'];

/** What the page can do itself; null: of these it cannot. */
const places: Partial<Record<Kind, (status: Status) => { href: string; text: string } | null>> = {
  dead_letters: () => ({ href: '#/dead-letters', text: t.letters }),
  models_disagree: () => ({ href: '#/models', text: t.models }),
  drift: ({ drift: [first] }) =>
    first === undefined ? null : { href: `#/images?${driftPlace(first)}`, text: t.drift },
};

const awayKinds: Partial<Record<Kind, 'topic' | 'store'>> = { topic_away: 'topic', store_away: 'store' };

/** Nothing stands still, and yet there is something to do. */
const todo: ReadonlySet<Kind> = new Set([
  'dead_letters',
  'drift',
  'results_unpublished',
  'not_sent',
  'round_open',
]);

export function Verdict({ status }: { status: Status }) {
  const { verdict, away, time } = status;
  const gone = away.find(({ server }) => server === awayKinds[verdict.kind]);
  const place = places[verdict.kind]?.(status) ?? null;
  return (
    <div class={`verdict ${verdict.ok ? (todo.has(verdict.kind) ? 'warn' : 'ok') : 'bad'}`}>
      <p role="status">
        {findingOf(status)}
        {gone !== undefined && <span class="hint">{t.away(since(gone.since, Date.parse(time)))}</span>}
      </p>
      {place !== null ? (
        <a class="button" href={place.href}>
          {place.text}
        </a>
      ) : (
        verdict.command !== null && <Command text={verdict.command} />
      )}
    </div>
  );
}

/** Of drift in the viewer's zone; else as `status` says it. */
function findingOf({ verdict, drift: [first] }: Status): string {
  return verdict.kind === 'drift' && first !== undefined ? t.drifts(driftSentence(first)) : verdict.finding;
}

export function since(iso: string, now: number): string {
  return texts.since(moment(iso), age(now - Date.parse(iso)));
}

/** To be copied to a terminal. */
export function Command({ text }: { text: string }) {
  const place = useRef<HTMLElement>(null);
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => setCopied((await toClipboard(text)) || select(place.current!));
  return (
    <span class="command">
      <code ref={place}>{text}</code>
      <button type="button" onClick={() => void copy()} aria-label={t.copyCommand(text)}>
        {copied ? t.copied : t.copy}
      </button>
    </span>
  );
}

/** Browsers have it on HTTPS and on this machine alone. */
async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Where it is not copied by this either, a key does it. */
function select(element: HTMLElement): boolean {
  getSelection()?.selectAllChildren(element);

  return document.execCommand('copy');
}
