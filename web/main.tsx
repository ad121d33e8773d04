/** The live page: its frame, and the view that the address names. */
import { render } from 'preact';
import { useState } from 'preact/hooks';
import type { Rights, Status } from './answers.ts';
import { setToken, token } from './api.ts';
import { number } from './format.ts';
import { usePlace, usePoll } from './hooks.ts';
import { Freshness } from './parts.tsx';
import { texts } from './texts.ts';
import { Belt } from './views/belt.tsx';
import { Bins } from './views/bins.tsx';
import { DeadLetters } from './views/dead-letters.tsx';
import { ImagePage } from './views/image.tsx';
import { Images } from './views/images.tsx';
import { Label } from './views/label.tsx';
import { Models } from './views/models.tsx';
import { Now } from './views/now.tsx';
import { TryIt } from './views/try.tsx';

const views = [
  { view: '', name: texts.views.now },
  { view: 'belt', name: texts.views.belt },
  { view: 'images', name: texts.views.images },
  { view: 'bins', name: texts.views.bins },
  { view: 'label', name: texts.views.label },
  { view: 'models', name: texts.views.models },
  { view: 'dead-letters', name: texts.views.letters },
  { view: 'try', name: texts.views.tryIt },
];

function App() {
  const place = usePlace();
  const rights = usePoll<Rights>('/v1/access', 60_000);
  const status = usePoll<Status>('/v1/status', 2000);
  const [tried, setTried] = useState(false);
  const needsToken = rights.data?.tokens === true && !rights.data.may.read;
  if (needsToken) {
    const enter = (value: string) => {
      setToken(value);
      setTried(true);
      rights.again();
      status.again();
    };
    return <AskToken isWrong={tried && token() !== null} enter={enter} />;
  }
  const forget = () => {
    setToken(null);
    location.reload();
  };
  return (
    <>
      <header>
        <a class="brand" href="#/">
          {texts.title}
        </a>
        <nav aria-label={texts.navigation}>
          {views.map(({ view, name }) => (
            <a key={view} href={`#/${view}`} aria-current={isIn(view, place.view) ? 'page' : undefined}>
              {name}
              {view === 'dead-letters' && (status.data?.deadLetters ?? 0) > 0 && (
                <span class="count">{number(status.data!.deadLetters)}</span>
              )}
            </a>
          ))}
        </nav>
        <span class="end">
          {rights.data?.may.operate === false && (
            <span class="pill" title={texts.readOnlyWhy}>
              {texts.readOnly}
            </span>
          )}
          <Freshness polled={status} />
          {token() !== null && (
            <button type="button" class="plain" onClick={forget}>
              {texts.token.forget}
            </button>
          )}
        </span>
      </header>
      <main>
        {place.view === 'images' ? (
          <Images place={place} />
        ) : place.view === 'image' ? (
          <ImagePage id={place.rest} key={place.rest} />
        ) : place.view === 'belt' ? (
          <Belt place={place} />
        ) : place.view === 'try' ? (
          <TryIt rights={rights.data} />
        ) : place.view === 'bins' ? (
          <Bins rights={rights.data} />
        ) : place.view === 'models' ? (
          <Models place={place} status={status} rights={rights.data} />
        ) : place.view === 'label' ? (
          <Label place={place} rights={rights.data} />
        ) : place.view === 'dead-letters' ? (
          <DeadLetters place={place} rights={rights.data} />
        ) : (
          <Now status={status} />
        )}
      </main>
    </>
  );
}

function isIn(view: string, shown: string): boolean {
  return view === shown || (view === 'images' && shown === 'image');
}

function AskToken({ isWrong, enter }: { isWrong: boolean; enter: (value: string) => void }) {
  const { token: t } = texts;
  return (
    <main class="ask">
      <h1>{t.heading}</h1>
      <p>{t.why}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          enter((new FormData(event.currentTarget).get('token') as string).trim());
        }}
      >
        <label>
          {t.label}
          <input name="token" type="password" autocomplete="off" autofocus required />
        </label>
        {isWrong && (
          <p class="note bad" role="alert">
            {t.wrong}
          </p>
        )}
        <button type="submit" class="main">
          {t.enter}
        </button>
      </form>
    </main>
  );
}

render(<App />, document.getElementById('app')!);
