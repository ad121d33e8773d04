/** The live page: its frame, and the view that the address names. */
import { render } from 'preact';
import { useState } from 'preact/hooks';
import { Belt } from './belt/belt.tsx';
import { Bins } from './bins/bins.tsx';
import { ImagePage } from './images/image.tsx';
import { Images } from './images/images.tsx';
import { Label } from './label/label.tsx';
import { DeadLetters } from './letters/letters.tsx';
import { Models } from './models/models.tsx';
import { Now } from './now/now.tsx';
import type { Rights, Status } from './shared/answers.ts';
import { setToken, token } from './shared/api.ts';
import { Header, useTitle } from './shared/header.tsx';
import { usePlace, usePoll } from './shared/hooks.ts';
import { Away } from './shared/parts.tsx';
import { texts } from './texts.ts';
import { TryIt } from './try/try.tsx';

function App() {
  const place = usePlace();
  const rights = usePoll<Rights>('/v1/access', 60_000);
  const needsToken = rights.data?.tokens === true && !rights.data.may.read;
  // Each request without a token counts as an attempt to guess one.
  const status = usePoll<Status>(needsToken ? null : '/v1/status', 2000);
  const [tried, setTried] = useState(false);
  useTitle(place.view, status);
  if (needsToken) {
    const enter = (value: string) => {
      setToken(value);
      setTried(true);
      rights.again();
    };
    return <AskToken isWrong={tried && token() !== null} enter={enter} />;
  }
  const forget = () => {
    setToken(null);
    location.reload();
  };
  return (
    <>
      <Header shown={place.view} status={status} rights={rights.data} forget={forget} />
      <main>
        {place.view === 'images' ? (
          <Images place={place} />
        ) : place.view === 'image' ? (
          <ImagePage id={place.rest} key={place.rest} rights={rights.data} />
        ) : place.view === 'belt' ? (
          <Belt place={place} />
        ) : place.view === 'try' ? (
          <TryIt rights={rights.data} />
        ) : place.view === 'bins' ? (
          <Bins rights={rights.data} />
        ) : place.view === 'models' ? (
          <Models place={place} status={status} rights={rights.data} />
        ) : place.view === 'label' ? (
          <Label place={place} rights={rights.data} status={status.data} />
        ) : place.view === 'dead-letters' ? (
          <DeadLetters place={place} rights={rights.data} />
        ) : (
          <Now status={status} />
        )}
      </main>
      <Away polled={status} />
    </>
  );
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
