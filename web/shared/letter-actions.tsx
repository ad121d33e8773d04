/** Dead letters retried or dropped, after it was asked: chosen ones, or all of a cause. */
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { texts } from '../texts.ts';
import type { LetterPage } from './answers.ts';
import { get, post } from './api.ts';
import { Confirm, failed, type Said } from './parts.tsx';

const { letters: t } = texts;

export type Action = 'retry' | 'drop';

/** `upTo`: letters that come later, which nobody was asked about, are left alone. */
type Chosen = { ids: readonly number[] } | { code: string; count: number; upTo: number };

/** As many ids as a call takes, and as a page of letters has. */
const atOnce = { ids: 1000, page: 500 };

export interface LetterActions {
  ask: (action: Action, ids: readonly number[]) => void;
  askAll: (action: Action, code: string) => Promise<void>;
  /** What the last one did. */
  told: Said | undefined;
  isBusy: boolean;
  dialog: VNode | null;
}

/** `onDone`: something has changed. */
export function useLetterActions(onDone: () => void): LetterActions {
  const [asked, setAsked] = useState<{ action: Action; chosen: Chosen }>();
  const [told, setTold] = useState<Said>();
  const [isBusy, setBusy] = useState(false);

  const askAll = async (action: Action, code: string) => {
    try {
      const { letters, open } = await get<LetterPage>(pagePath(code, 1));
      const [newest] = letters;
      if (newest === undefined) return onDone();
      setAsked({ action, chosen: { code, count: open[code] ?? 1, upTo: newest.id } });
    } catch (error) {
      setTold(failed(error));
    }
  };
  const act = async (action: Action, chosen: Chosen) => {
    setAsked(undefined);
    setBusy(true);
    const sum = { done: 0, refused: 0 };
    const tell = (error?: unknown) => setTold(whatWasDone(action, sum, error));
    try {
      for await (const ids of batches(chosen)) {
        const answer = await post<Partial<Record<'retried' | 'dropped' | 'refused', number>>>(
          `/v1/dead-letters/${action}`,
          { ids },
        );
        sum.done += answer.retried ?? answer.dropped ?? 0;
        sum.refused += answer.refused ?? 0;
        tell();
      }
      tell();
    } catch (error) {
      tell(error);
    }
    setBusy(false);
    onDone();
  };
  return {
    ask: (action, ids) => setAsked({ action, chosen: { ids } }),
    askAll,
    told,
    isBusy,
    dialog: asked ? (
      <Sure
        {...asked}
        cancel={() => setAsked(undefined)}
        onYes={() => void act(asked.action, asked.chosen)}
      />
    ) : null,
  };
}

interface SureProps {
  action: Action;
  chosen: Chosen;
  cancel: () => void;
  onYes: () => void;
}

function Sure({ action, chosen, cancel, onYes }: SureProps) {
  const n = 'ids' in chosen ? chosen.ids.length : chosen.count;
  const code = 'ids' in chosen ? undefined : chosen.code;
  return (
    <Confirm
      question={action === 'retry' ? t.sureRetry(n, code) : t.sureDrop(n, code)}
      action={action === 'retry' ? t.retry : t.drop}
      danger={action === 'drop'}
      cancel={cancel}
      onYes={onYes}
    />
  );
}

async function* batches(chosen: Chosen): AsyncGenerator<readonly number[]> {
  if ('ids' in chosen) {
    for (let n = 0; n < chosen.ids.length; n += atOnce.ids) yield chosen.ids.slice(n, n + atOnce.ids);
    return;
  }
  for (let before: number | null = chosen.upTo + 1; before !== null;) {
    const page: LetterPage = await get<LetterPage>(`${pagePath(chosen.code, atOnce.page)}&before=${before}`);
    if (page.letters.length > 0) yield page.letters.map(({ id }) => id);
    before = page.next;
  }
}

function pagePath(code: string, limit: number): string {
  return `/v1/dead-letters?${new URLSearchParams({ code, limit: String(limit) })}`;
}

function whatWasDone(
  action: Action,
  { done, refused }: { done: number; refused: number },
  error: unknown,
): Said {
  const parts = [
    ...(done > 0 || (refused === 0 && error === undefined)
      ? [action === 'retry' ? t.retried(done) : t.dropped(done)]
      : []),
    ...(refused > 0 ? [t.refused(refused)] : []),
    ...(error === undefined ? [] : [failed(error).text]),
  ];
  return { text: parts.join(' '), bad: refused > 0 || error !== undefined };
}
