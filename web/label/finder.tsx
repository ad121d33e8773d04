/** Finds a label by what is typed, or takes a new one. */
import { useState } from 'preact/hooks';
import { matching } from '../labelling.ts';
import { texts } from '../texts.ts';

const { label: t } = texts;

interface FinderProps {
  labels: readonly string[];
  give: (label: string) => void;
  input: { current: HTMLInputElement | null };
  leave: () => void;
}

export function Finder({ labels, give, input, leave }: FinderProps) {
  const [text, setText] = useState('');
  const found = matching(labels, text, 8);
  const typed = text.trim();
  const isNew = typed !== '' && !labels.includes(typed);
  const choose = (label: string) => {
    setText('');
    give(label);
  };
  return (
    <span class="finder">
      <input
        ref={input}
        value={text}
        placeholder={t.findKey}
        aria-label={t.find}
        autocomplete="off"
        maxLength={500}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            setText('');
            leave();
          }
          // What is in the field now: it may not have been drawn yet.
          const now = event.currentTarget.value.trim();
          if (event.key === 'Enter' && now !== '') choose(matching(labels, now, 1)[0] ?? now);
        }}
      />
      {(found.length > 0 || isNew) && (
        <ul class="matches">
          {found.map((label) => (
            <li key={label}>
              <button type="button" onClick={() => choose(label)}>
                {label}
              </button>
            </li>
          ))}
          {isNew && (
            <li>
              <button type="button" onClick={() => choose(typed)}>
                {t.newClass(typed)}
              </button>
            </li>
          )}
        </ul>
      )}
    </span>
  );
}
