/** Which model an image gets: its belt's, else the pipeline's; while models change, and where they cannot be opened. */
import { describe, expect, it } from 'vitest';
import { ChosenForPipeline, type ModelEvent } from '../../../src/lib/pipeline/consume/models.ts';
import type { ChosenModels } from '../../../src/lib/systems/database/tables/belt-models.ts';
import { fakeClassifiers, settled, wanted } from '../../support/fake-classifiers.ts';

const signal = new AbortController().signal;

function choice(pipelines: string | null, byBelt: Record<string, string> = {}): ChosenModels {
  return {
    pipelines: pipelines === null ? null : wanted(pipelines),
    byBelt: new Map(Object.entries(byBelt).map(([belt, digest]) => [belt, wanted(digest)])),
  };
}

async function setUp(chosen: ChosenModels, room = 9) {
  const fake = fakeClassifiers(room);
  const events: ModelEvent[] = [];
  const first = await fake.held.lend(chosen.pipelines ?? wanted('local'), { keep: true });
  first[Symbol.dispose]();
  const models = new ChosenForPipeline(fake.held, {
    first: first.classifier,
    chosen,
    report: (event) => events.push(event),
  });
  fake.failed.tell = (digest, reason) => models.failed(digest, reason);
  const opened: string[] = [];
  /** The name of the model that an image of this belt gets. */
  const of = async (belt: string | null) => {
    using lent = await models.lend(belt, { signal, onOpen: (reason) => opened.push(reason) });
    return lent.classifier.model.name;
  };
  return { ...fake, models, events, of, opened, follow: (next: ChosenModels) => models.follow(next, signal) };
}

describe('ChosenForPipeline', () => {
  it("gives a belt its own model, and every other image the pipeline's", async () => {
    const { of, opened } = await setUp(choice('p', { north: 'n' }));
    expect([await of(null), await of('south'), await of('north')]).toEqual(['p', 'p', 'n']);
    expect(opened).toEqual(['the model of belt north is being opened']);
    expect(await of('north')).toBe('n');
    expect(opened).toHaveLength(1);
  });

  it('opens models of belts before their first image where there is room, and closes none for that', async () => {
    const { follow, seen, of } = await setUp(choice('p', { north: 'n', south: 's', west: 'w' }), 2);
    await follow(choice('p', { north: 'n', south: 's', west: 'w' }));
    expect(seen).toEqual(['+p', '+n', '+s']);
    expect(await of('west')).toBe('w');
    expect(seen.slice(3)).toEqual(['-n', '+w']);
    await follow(choice('p', { north: 'n', south: 's', west: 'w' }));
    expect(seen).toHaveLength(5);
  });

  it('goes on with the former model until the next one is open', async () => {
    const { follow, opening, of, events, seen } = await setUp(choice('p', { north: 'a' }));
    await of('north');
    let open: () => void = () => undefined;
    opening.set('b', () => new Promise((resolve) => (open = resolve)));
    const following = follow(choice('p', { north: 'b' }));
    await settled();
    expect(await of('north')).toBe('a');
    open();
    await following;
    expect(await of('north')).toBe('b');
    await settled();
    expect(seen).toEqual(['+p', '+a', '+b', '-a']);
    expect(events).toEqual([{ kind: 'switched', belt: 'north', model: 'b', version: '1', digest: 'b' }]);
  });

  it("takes a belt back to the pipeline's model, and follows that one", async () => {
    const { follow, of, events, seen } = await setUp(choice('p', { north: 'n' }));
    await of('north');
    await follow(choice('p'));
    expect(await of('north')).toBe('p');
    await follow(choice('q', { north: 'p' }));
    expect([await of('north'), await of('south')]).toEqual(['p', 'q']);
    await follow(choice('q'));
    await settled();
    expect(events.map((event) => [event.kind, event.belt, event.digest])).toEqual([
      ['switched', 'north', 'p'],
      ['switched', null, 'q'],
      ['switched', 'north', 'p'],
      ['switched', 'north', 'q'],
    ]);
    // The first one was the belt's own for a while, and was not opened again for that.
    expect(seen).toEqual(['+p', '+n', '-n', '+q', '-p']);
  });

  it('keeps a former model that is open where the next cannot be opened, and says so', async () => {
    const { follow, opening, of, events, models } = await setUp(choice('p', { north: 'a' }));
    await of('north');
    opening.set('b', () => Promise.reject(new Error('damaged')));
    for (let second = 0; second < 3; second++) await follow(choice('b', { north: 'b' }));
    expect([await of('north'), await of(null)]).toEqual(['a', 'p']);
    const event = { kind: 'switch failed', digest: 'b', reason: 'damaged' };
    expect(events).toEqual([
      { ...event, belt: null, former: 'p 1' },
      { ...event, belt: 'north' },
    ]);
    expect(models.problem()).toBe('the active model cannot be used: damaged');
    await follow(choice('p', { north: 'b' }));
    expect(models.problem()).toBe('the model of belt north cannot be used: damaged');
    await follow(choice('p', { north: 'a' }));
    expect(models.problem()).toBeNull();
  });

  it('gives no other model to a belt whose own cannot be opened', async () => {
    const { opening, of, follow, clock, events } = await setUp(choice('p', { north: 'n' }));
    opening.set('n', () => Promise.reject(new Error('damaged')));
    await follow(choice('p', { north: 'n' }));
    expect(events).toEqual([{ kind: 'not opened', belt: 'north', digest: 'n', reason: 'damaged' }]);
    await expect(of('north')).rejects.toMatchObject({
      code: 'belt_model_unavailable',
      retryable: true,
      message: 'the model of belt north cannot be opened: damaged',
    });
    expect(await of('south')).toBe('p');
    opening.delete('n');
    clock.now += 15_000;
    expect(await of('north')).toBe('n');
  });

  it('does not open a former model again that was closed for another one', async () => {
    const { follow, opening, of, seen } = await setUp(choice('p', { north: 'a' }), 1);
    await of('north');
    let open: () => void = () => undefined;
    opening.set('b', () => new Promise((resolve) => (open = resolve)));
    const following = follow(choice('p', { north: 'b' }));
    await settled();
    const image = of('north');
    await settled();
    open();
    expect(await image).toBe('b');
    await following;
    expect(seen).toEqual(['+p', '+a', '-a', '+b']);
  });
});
