/** The head of the page: its views, what you may do, whether what is shown is of now; and the same in the title and icon of the tab. */
import { useEffect, useState } from 'preact/hooks';
import { texts } from '../texts.ts';
import type { Rights, Status } from './answers.ts';
import { token } from './api.ts';
import { number } from './format.ts';
import type { Polled } from './hooks.ts';
import { Freshness } from './parts.tsx';

export const views = [
  { view: '', name: texts.views.now },
  { view: 'belt', name: texts.views.belt },
  { view: 'images', name: texts.views.images },
  { view: 'bins', name: texts.views.bins },
  { view: 'label', name: texts.views.label },
  { view: 'models', name: texts.views.models },
  { view: 'dead-letters', name: texts.views.letters },
  { view: 'try', name: texts.views.tryIt },
];

/** An image's page belongs to the images. */
function isIn(view: string, shown: string): boolean {
  return view === shown || (view === 'images' && shown === 'image');
}

interface HeaderProps {
  shown: string;
  status: Polled<Status>;
  rights: Rights | undefined;
  forget: () => void;
}

/** Where there is no room for all views in a row, they open from a button that names the one shown. */
export function Header({ shown, status, rights, forget }: HeaderProps) {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    if (!isOpen) return;
    const close = () => setOpen(false);
    const key = (event: KeyboardEvent) => void (event.key === 'Escape' && close());
    addEventListener('keydown', key);
    addEventListener('click', close);
    return () => {
      removeEventListener('keydown', key);
      removeEventListener('click', close);
    };
  }, [isOpen]);
  const letters = status.data?.deadLetters ?? 0;
  const count = letters > 0 && <span class="count">{number(letters)}</span>;
  return (
    <header class={isOpen ? 'open' : ''}>
      <a class="brand" href="#/" aria-label={texts.title}>
        <img src="/page/icon.svg" alt="" width="26" height="26" />
        <span>{texts.title}</span>
      </a>
      <button
        type="button"
        class="menu"
        aria-expanded={isOpen}
        aria-controls="views"
        onClick={(event) => {
          event.stopPropagation();
          setOpen(!isOpen);
        }}
      >
        {nameOf(shown)} {count}
      </button>
      <nav id="views" aria-label={texts.navigation}>
        {views.map(({ view, name }) => (
          <a key={view} href={`#/${view}`} aria-current={isIn(view, shown) ? 'page' : undefined}>
            {name} {view === 'dead-letters' && count}
          </a>
        ))}
      </nav>
      <span class="end">
        <Freshness polled={status} />
      </span>
      <Who rights={rights} forget={forget} />
    </header>
  );
}

function nameOf(shown: string): string {
  return views.find(({ view }) => isIn(view, shown))?.name ?? texts.views.now;
}

function Who({ rights, forget }: { rights: Rights | undefined; forget: () => void }) {
  if (rights === undefined) return null;
  const { may, token: name } = rights;
  const what = may.operate ? texts.rights.operate : may.write ? texts.rights.write : texts.rights.read;
  return (
    <span class={`who ${may.operate ? 'acts' : ''}`}>
      <span class="pill" title={may.operate ? '' : texts.readOnlyWhy}>
        {name !== null && <strong>{name}: </strong>}
        {what}
      </span>
      {token() !== null && (
        <button type="button" class="plain" onClick={forget}>
          {texts.token.forget}
        </button>
      )}
    </span>
  );
}

/** So that a tab shows trouble while somebody looks at another. */
export function useTitle(shown: string, { data, error }: Polled<Status>): void {
  const isAway = error?.status === 0;
  const isBad = isAway || error !== undefined || data?.verdict.ok === false;
  const state = isAway
    ? texts.tab.away
    : isBad
      ? texts.tab.trouble
      : data === undefined
        ? ''
        : texts.tab.well;
  useEffect(() => {
    document.title = `${isBad ? '⚠ ' : ''}${[nameOf(shown), texts.title, state].filter(Boolean).join(' · ')}`;
    document.querySelector<HTMLLinkElement>('link[rel=icon]')!.href =
      `/page/${isBad ? 'icon-trouble' : 'icon'}.svg`;
  }, [shown, state, isBad]);
}
