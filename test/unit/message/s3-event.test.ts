/** S3 events in the exact shapes of AWS, MinIO and versitygw 1.8. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Message, parseMessage } from '../../../src/lib/systems/message/parse.ts';
import { header, type TopicRecord } from '../../../src/lib/systems/message/record.ts';
import { maxRequestIdBytes, type Request } from '../../../src/lib/systems/message/request.ts';
import { retryMessage } from '../../../src/lib/systems/message/retry.ts';
import type { MessageRules } from '../../../src/lib/systems/message/rules.ts';

const rules: MessageRules = { store: { bucket: 'photos', prefix: '' }, buckets: [], eventKeys: 'auto' };
const timestamp = Date.parse('2026-11-22T10:00:00.250Z');

function message(value: unknown, headers: Record<string, string> = {}): TopicRecord {
  const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return { topic: 't', partition: 0, offset: 5, timestamp, key: null, value: bytes, headers };
}

function aws(key: string, object: object = {}, record: object = {}) {
  return {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    awsRegion: 'us-west-2',
    eventTime: '2026-11-22T09:59:59.123Z',
    eventName: 'ObjectCreated:Put',
    userIdentity: { principalId: 'AIDAJDPLRKLG7UEXAMPLE' },
    requestParameters: { sourceIPAddress: '127.0.0.1' },
    responseElements: {
      'x-amz-request-id': 'C3D13FE58DE4C810',
      'x-amz-id-2': 'FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V',
    },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: 'testConfigRule',
      bucket: {
        name: 'photos',
        ownerIdentity: { principalId: 'A3NL1KOZZKExample' },
        arn: 'arn:aws:s3:::photos',
      },
      object: {
        key,
        size: 1024,
        eTag: 'd41d8cd98f00b204e9800998ecf8427e',
        versionId: '096fKKXTRTtl3on89fVO.nfljtsv6qko',
        sequencer: '0055AED6DCD90281E5',
        ...object,
      },
    },
    ...record,
  };
}

function minio(key: string) {
  return {
    EventName: 's3:ObjectCreated:Put',
    Key: `photos/${decodeURIComponent(key.replaceAll('+', ' '))}`,
    Records: [
      {
        eventVersion: '2.0',
        eventSource: 'minio:s3',
        awsRegion: '',
        eventTime: '2026-11-22T09:59:58.456Z',
        eventName: 's3:ObjectCreated:Put',
        userIdentity: { principalId: 'minioadmin' },
        requestParameters: { principalId: 'minioadmin', region: '', sourceIPAddress: '127.0.0.1' },
        responseElements: {
          'x-amz-request-id': '15CFEDF8D4736ED9',
          'x-minio-deployment-id': '0170a4cc-dca6-4e72-86f1-c0cc760dff7f',
          'x-minio-origin-endpoint': 'http://172.17.0.2:9000',
        },
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: 'Config',
          bucket: {
            name: 'photos',
            ownerIdentity: { principalId: 'minioadmin' },
            arn: 'arn:aws:s3:::photos',
          },
          object: {
            key,
            size: 224662,
            eTag: '5fc7298143efe1276d39a3466d4e255f-1',
            contentType: 'image/jpeg',
            userMetadata: { 'content-type': 'image/jpeg' },
            sequencer: '15CFEDF8D5304D1A',
          },
        },
        source: { host: '127.0.0.1', port: '', userAgent: 'MinIO (linux; amd64) minio-go/v7.0.70' },
      },
    ],
  };
}

function versitygw(key: string, record: object = {}, sequencer = '2') {
  return {
    Records: [
      {
        eventVersion: '2.2',
        eventSource: 'aws:s3',
        awsRegion: 'us-east-1',
        eventTime: '2026-11-22T10:00:00Z',
        eventName: 's3:ObjectCreated:Put',
        userIdentity: { PrincipalId: 'ci' },
        requestParameters: { sourceIPAddress: '127.0.0.1' },
        responseElements: { 'x-amz-request-id': '', 'x-amz-id-2': '' },
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: 'webhook-global',
          bucket: {
            name: 'photos',
            ownerIdentity: { PrincipalId: 'ci' },
            arn: `arn:aws:s3:::/photos/${key}`,
          },
          object: { key, size: 10, eTag: '"d41d8cd98f00b204e9800998ecf8427e"', versionId: null, sequencer },
        },
        glacierEventData: {
          restoreEventData: { lifecycleRestorationExpiryTime: '', lifecycleRestoreStorageClass: '' },
        },
        ...record,
      },
    ],
  };
}

function ceph(key: string, eventName = 'ObjectCreated:Put') {
  return {
    Records: [
      {
        eventVersion: '2.2',
        eventSource: 'ceph:s3',
        awsRegion: 'default',
        eventTime: '2026-11-22T09:59:58.124724Z',
        eventName,
        userIdentity: { principalId: 'tester' },
        requestParameters: { sourceIPAddress: '' },
        responseElements: {
          'x-amz-request-id': '503a4c37-85eb-47cd-8681-2817e80b4281.5330.903595',
          'x-amz-id-2': '14d2-zone1-zonegroup1',
        },
        s3: {
          s3SchemaVersion: '1.0',
          configurationId: 'mynotif1',
          bucket: {
            name: 'photos',
            ownerIdentity: { principalId: 'tester' },
            arn: 'arn:aws:s3:default::photos',
            id: '503a4c37-85eb-47cd-8681-2817e80b4281.5332.38',
          },
          object: {
            key,
            size: 1024,
            eTag: '37b51d194a7513e45b56f6524f2d51f2',
            versionId: '',
            sequencer: 'F7E6D75DC742D108',
            metadata: [],
            tags: [],
          },
        },
        eventId: '',
        opaqueData: 'me@example.com',
      },
    ],
  };
}

function requests(
  value: unknown,
  with_: MessageRules = rules,
  headers: Record<string, string> = {},
): Request[] {
  const parsed = parseMessage(message(value, headers), with_);
  if (parsed.kind !== 'requests') throw new Error(JSON.stringify(parsed));
  expect(parsed.refused).toEqual([]);
  return parsed.requests;
}

const key = (value: unknown, with_ = rules) => requests(value, with_)[0]!.imageKey;

describe('keys', () => {
  it.each([
    ['a.jpg', 'a.jpg'],
    ['belt+1/a%2Bb+100%25.jpg', 'belt 1/a+b 100%.jpg'],
    ['gr%C3%B6%C3%9Fe/%E5%9B%B3.jpg', 'größe/図.jpg'],
    ['belt%201%2Fa.jpg', 'belt 1/a.jpg'],
  ])('of AWS and MinIO are percent- and plus-encoded: %s', (written, meant) => {
    expect(key({ Records: [aws(written)] })).toBe(meant);
    expect(key(minio(written))).toBe(meant);
  });

  it.each(['a.jpg', 'belt 1/a+b 100%.jpg', 'gr%C3%B6.jpg', 'größe/図.jpg', '100%'])(
    'of versitygw and Ceph are as they are: %s',
    (written) => {
      expect(key(versitygw(written))).toBe(written);
      for (const name of ['ObjectCreated:Put', 's3:ObjectCreated:CompleteMultipartUpload']) {
        const [asked] = requests(ceph(written, name));
        expect(asked).toMatchObject({ imageKey: written, id: `s3:photos/${written}/F7E6D75DC742D108` });
        expect(new Date(asked!.capturedAt!).toISOString()).toBe('2026-11-22T09:59:58.124Z');
      }
    },
  );

  it('are read as the setting says', () => {
    expect(key({ Records: [aws('a+b%.jpg')] }, { ...rules, eventKeys: 'raw' })).toBe('a+b%.jpg');
    expect(key(versitygw('a+b%25'), { ...rules, eventKeys: 'encoded' })).toBe('a b%');
  });

  it('that are not encoded right are a dead letter, which a retry heals once the setting is right', () => {
    const first = message({ Records: [aws('100%.jpg')] });
    const parsed = parseMessage(first, rules);
    expect(parsed).toMatchObject({
      kind: 'requests',
      requests: [],
      refused: [
        { imageKey: null, code: 'unreadable_message', reason: expect.stringContaining('=raw') as string },
      ],
    });
    const { requestId } = (parsed as { refused: { requestId: string }[] }).refused[0]!;
    const sent = retryMessage({ ...first, requestId, attempts: 1 });
    const again = parseMessage({ ...first, ...sent, offset: 99 }, { ...rules, eventKeys: 'raw' });
    expect(again).toMatchObject({ requests: [{ id: requestId, imageKey: '100%.jpg' }], refused: [] });
  });

  it.each(['../../etc/passwd', '/x', 'a//b', 'a%00b', '%2e%2e/x'])(
    'that leave the store are refused: %s',
    (bad) => {
      expect(parseMessage(message({ Records: [aws(bad)] }), rules)).toMatchObject({
        requests: [],
        refused: [{ imageKey: null, code: 'bad_key' }],
      });
    },
  );

  it('are the store’s own below its prefix', () => {
    const below = { ...rules, store: { bucket: 'photos', prefix: 'line 1/in' } };
    expect(key({ Records: [aws('line+1/in/a/b.jpg')] }, below)).toBe('a/b.jpg');
    expect(parseMessage(message({ Records: [aws('line+1/inner/b.jpg')] }), below)).toMatchObject({
      requests: [],
      refused: [{ code: 'outside_store', imageKey: 'line 1/inner/b.jpg' }],
    });
    expect(requests({ Records: [aws('x.jpg')] }, { ...below, buckets: ['photos'] })).toMatchObject([
      { bucket: 'photos', imageKey: 'x.jpg' },
    ]);
  });
});

describe('request ids', () => {
  it('are bucket, key and sequencer; else version; else ETag; else the place', () => {
    const id = (object: object) => requests({ Records: [aws('a+b', object)] })[0]!.id;
    expect(id({})).toBe('s3:photos/a+b/0055AED6DCD90281E5');
    expect(id({ sequencer: undefined })).toBe('s3:photos/a+b/096fKKXTRTtl3on89fVO.nfljtsv6qko');
    expect(id({ sequencer: null, versionId: null })).toBe('s3:photos/a+b/d41d8cd98f00b204e9800998ecf8427e');
    expect(id({ sequencer: 7, versionId: {}, eTag: undefined })).toBe(`t/0/5@${timestamp}`);
  });

  it('do not depend on settings', () => {
    const event = { Records: [aws('a+b')] };
    const [raw, encoded] = (['raw', 'encoded'] as const).map((eventKeys) =>
      requests(event, { ...rules, eventKeys }),
    );
    expect(raw![0]!.id).toBe(encoded![0]!.id);
    expect(raw![0]!.imageKey).not.toBe(encoded![0]!.imageKey);
  });

  it('are the header’s for a single record', () => {
    expect(requests({ Records: [aws('a')] }, rules, { [header.requestId]: 'mine' })[0]!.id).toBe('mine');
    const both = requests({ Records: [aws('a'), aws('b')] }, rules, { [header.requestId]: 'mine' });
    expect(both.map(({ id }) => id)).toEqual([
      's3:photos/a/0055AED6DCD90281E5',
      's3:photos/b/0055AED6DCD90281E5',
    ]);
  });

  it('are the header’s only where an id made of an image is that image’s', () => {
    const id = (value: string, key = 'a+b', with_ = rules) =>
      requests({ Records: [aws(key)] }, with_, { [header.requestId]: value })[0]!.id;
    const own = 's3:photos/a+b/0055AED6DCD90281E5';
    for (const fits of ['s3:photos/a+b/another', 'p:3:a b', own]) expect(id(fits)).toBe(fits);
    for (const other of [
      's3:photos/a/0055AED6DCD90281E5',
      's3:photos/a+b/c/0055AED6DCD90281E5',
      's3:other/a+b/0055AED6DCD90281E5',
      `s3:sha256:${'0'.repeat(64)}`,
      'p:3:a+b',
      `h:${'0'.repeat(64)}`,
    ]) {
      expect(id(other)).toBe(own);
    }
    const side = { ...rules, store: null, buckets: ['photos'] };
    expect(id('p:3:a b', 'a+b', side)).toBe(own);
    const long = '%C3%BC'.repeat(512);
    const digest = requests({ Records: [aws(long)] })[0]!.id;
    expect(id(digest, long)).toBe(digest);
    expect(id(digest)).toBe(own);
  });

  it('of two objects are never one, whatever stands in bucket and sequencer', () => {
    const ids = [
      aws('a', { sequencer: 'b/0055AED6DCD90281E5' }),
      aws('a/b'),
      aws('b', {}, { s3: { bucket: { name: 'photos/a' }, object: aws('b').s3.object } }),
    ].map((record) => {
      const parsed = parseMessage(message({ Records: [record] }), rules);
      if (parsed.kind !== 'requests') throw new Error(parsed.kind);
      return parsed.requests[0]?.id ?? parsed.refused[0]?.requestId;
    });
    expect(new Set(ids).size).toBe(3);
  });

  it('tell versitygw’s events apart, whose sequencers begin anew with every start of it', () => {
    const [before, after, again] = [
      versitygw('latest.jpg', {}, '1'),
      versitygw('latest.jpg', { eventTime: '2026-11-22T11:00:00Z' }, '1'),
      versitygw('latest.jpg', {}, '1'),
    ].map((event) => requests(event)[0]!.id);
    expect(before).not.toBe(after);
    expect(before).toBe(again);
  });

  it('have room for the longest key, and a digest where there is none', () => {
    const long = 'k'.repeat(1024);
    expect(requests({ Records: [aws(long)] })[0]!.id).toBe(`s3:photos/${long}/0055AED6DCD90281E5`);
    const [{ id } = { id: '' }] = requests({ Records: [aws('%C3%BC'.repeat(512))] });
    expect(id).toMatch(/^s3:sha256:[0-9a-f]{64}$/);
    expect(id).not.toBe(requests({ Records: [aws('%C3%BC'.repeat(511))] })[0]!.id);
    expect(Buffer.byteLength(long) + 100).toBeLessThan(maxRequestIdBytes);
  });
});

describe('capture times', () => {
  const time = (event: unknown, headers = {}) => requests(event, rules, headers)[0]!.capturedAt;
  it('are the event’s, unless a header says', () => {
    expect(time({ Records: [aws('a')] })).toBe(Date.parse('2026-11-22T09:59:59.123Z'));
    expect(time(minio('a'))).toBe(Date.parse('2026-11-22T09:59:58.456Z'));
    expect(time({ Records: [aws('a')] }, { [header.capturedAt]: '2026-01-01T00:00:00Z' })).toBe(
      Date.parse('2026-01-01T00:00:00Z'),
    );
    expect(time({ Records: [aws('a', {}, { eventTime: 'yesterday' })] })).toBe(null);
  });

  it('in whole seconds are the message’s within that second', () => {
    expect(time(versitygw('a'))).toBe(timestamp);
    expect(time(versitygw('a', { eventTime: '2026-11-22T09:59:58Z' }))).toBe(
      Date.parse('2026-11-22T09:59:58Z'),
    );
    expect(time(versitygw('a', { eventTime: '2026-11-22T12:00:00+02:00' }))).toBe(timestamp);
  });
});

describe('what asks for nothing', () => {
  it.each([
    ['versitygw’s test event', { Service: 'S3', Event: 's3:TestEvent', Time: '2026-11-22T10:00:00Z', Bucket: 'Test-Bucket' }, 1],
    ['AWS’s test event', { Service: 'Amazon S3', Event: 's3:TestEvent', Time: '2026-11-22T10:00:00.000Z', Bucket: 'photos', RequestId: '5582815E1AEA5ADF', HostId: '8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR' }, 1],
    ['no records', { Records: [] }, 1],
    ['AWS’s delete', { Records: [aws('a', {}, { eventName: 'ObjectRemoved:Delete' })] }, 1],
    ['a delete marker', { Records: [aws('a', {}, { eventName: 'ObjectRemoved:DeleteMarkerCreated' })] }, 1],
    ['versitygw’s deletes', { Records: [...versitygw('a', { eventName: 's3:ObjectRemoved:DeleteObjects' }).Records, ...versitygw('b', { eventName: 's3:ObjectRemoved:Delete' }).Records] }, 2],
    ['tags', versitygw('a', { eventName: 's3:ObjectTagging:Put' }), 1],
    ['MinIO’s changes of what is known of an object', { Records: [aws('a', {}, { eventName: 's3:ObjectCreated:PutRetention' }), aws('a', {}, { eventName: 's3:ObjectCreated:PutLegalHold' }), aws('a', {}, { eventName: 's3:ObjectCreated:PutTagging' })] }, 3],
    ['reads', { Records: [aws('a', {}, { eventName: 's3:ObjectAccessed:Get' })] }, 1],
    ['events without an object', { Records: [{ eventName: 's3:BucketCreated:*', s3: { bucket: { name: 'x' }, object: {} } }] }, 1],
    ['a folder made in a console', { Records: [aws('folder/', { size: 0 })] }, 1],
    ['models published into the store', { Records: [aws('.visionscale/models/x/model.onnx')] }, 1],
  ] as [string, unknown, number][])('is ignored and counted: %s', (_, event, events) => {
    expect(parseMessage(message(event), rules)).toEqual({
      kind: 'ignored',
      reason: expect.stringMatching(/./) as string,
      events,
    });
  }); // prettier-ignore

  it.each([
    'ObjectCreated:Post',
    'ObjectCreated:Copy',
    'ObjectCreated:CompleteMultipartUpload',
    's3:ObjectCreated:*',
  ])('is not %s', (eventName) =>
    expect(requests({ Records: [aws('a', {}, { eventName })] })).toHaveLength(1),
  );
});

describe('several records in one message', () => {
  const records = [
    aws('a.jpg'),
    aws('b.jpg', { sequencer: '0055AED6DCD90281E6' }),
    aws('b.jpg', {}, { eventName: 'ObjectRemoved:Delete' }),
    aws('c.jpg', {}, { s3: { ...aws('c.jpg').s3, bucket: { name: 'elsewhere' } } }),
    { eventName: 'ObjectCreated:Put', s3: 'nonsense' },
    null,
    aws('a.jpg'),
  ];
  const parsed = parseMessage(message({ Records: records }), rules);
  if (parsed.kind !== 'requests') throw new Error(parsed.kind);

  it('are answered each for itself, the same one once', () => {
    expect(parsed.requests.map(({ id, imageKey }) => [id, imageKey])).toEqual([
      ['s3:photos/a.jpg/0055AED6DCD90281E5', 'a.jpg'],
      ['s3:photos/b.jpg/0055AED6DCD90281E6', 'b.jpg'],
    ]);
    expect(parsed.refused.map(({ requestId, code, imageKey }) => [requestId, code, imageKey])).toEqual([
      ['s3:elsewhere/c.jpg/0055AED6DCD90281E5', 'bucket_not_allowed', 'c.jpg'],
      [`t/0/5@${timestamp}#unreadable_message`, 'unreadable_message', null],
    ]);
    expect(parsed.ignored).toBe(1);
  });

  it('are retried each for itself: a letter keeps its own record', () => {
    const retried = (requestId: string, value: Buffer | null, with_: MessageRules) => {
      const sent = retryMessage({ requestId, attempts: 1, headers: {}, key: null, value });
      return parseMessage({ ...message(''), ...sent, offset: 1000 }, with_);
    };
    const [a] = parsed.requests;
    expect(retried(a!.id, a!.alone, rules)).toEqual({
      kind: 'requests',
      requests: [{ ...a, alone: null }],
      refused: [],
      ignored: 0,
    });
    const [elsewhere, nonsense] = parsed.refused;
    expect(
      retried(elsewhere!.requestId, elsewhere!.alone, { ...rules, buckets: ['elsewhere'] }),
    ).toMatchObject({
      requests: [{ id: elsewhere!.requestId, bucket: 'elsewhere', imageKey: 'c.jpg' }],
      refused: [],
    });
    expect(retried(nonsense!.requestId, nonsense!.alone, rules)).toMatchObject({
      requests: [],
      refused: [{ requestId: nonsense!.requestId, code: 'unreadable_message' }],
    });
  });

  it('make dead letters no larger together than the message', () => {
    const hostile = {
      Records: Array.from({ length: 900 }, (_, n) =>
        n % 3 === 0
          ? { eventName: 'ObjectCreated:Put', n }
          : aws(n % 3 === 1 ? '../x' : '100%', { sequencer: `${n}` }),
      ),
    };
    const value = message(hostile);
    const { refused } = parseMessage(value, rules) as { refused: { alone: Buffer }[] };
    // What has an id of its own, each for itself; the rest together.
    expect(refused).toHaveLength(601);
    const kept = refused.reduce((sum, { alone }) => sum + alone.length, 0);
    expect(kept).toBeLessThan(2 * value.value!.length);
  });

  it('that nothing tells apart are one dead letter of each kind, with the records that it is about', () => {
    const hostile = [{}, [], null, 7, 'x', { eventName: 'ObjectCreated:Put' }];
    const nameless = (written: string) =>
      aws(written, { sequencer: undefined, versionId: undefined, eTag: undefined });
    const records = [...hostile, nameless('/x'), aws('a.jpg'), nameless('/y'), nameless('%')];
    const found = parseMessage(message({ Records: records }), rules);
    const place = `t/0/5@${timestamp}`;
    const kept = (...some: unknown[]) => Buffer.from(JSON.stringify({ Records: some }));
    expect(found).toMatchObject({ kind: 'requests', requests: [{ imageKey: 'a.jpg' }], ignored: 0 });
    expect((found as { refused: object[] }).refused).toMatchObject([
      {
        requestId: `${place}#unreadable_message`,
        imageKey: null,
        code: 'unreadable_message',
        reason: expect.stringContaining('(and 6 more records like it)') as string,
        alone: kept(...hostile, nameless('%')),
      },
      { requestId: `${place}#bad_key`, code: 'bad_key', alone: kept(nameless('/x'), nameless('/y')) },
    ]);
  });

  it('that nothing tells apart and are all there is are one dead letter with the message’s own value', () => {
    const one = (value: TopicRecord) => parseMessage(value, rules) as Extract<Message, { kind: 'requests' }>;
    const first = message({ Records: Array(999).fill({}) });
    const { requests: none, refused } = one(first);
    expect(none).toEqual([]);
    expect(refused).toMatchObject([
      { requestId: `t/0/5@${timestamp}`, code: 'unreadable_message', alone: null },
    ]);
    const { requestId } = refused[0]!;
    const sent = retryMessage({ ...first, requestId, attempts: 1 });
    expect(one({ ...first, ...sent, offset: 99 }).refused).toMatchObject([{ requestId, alone: null }]);
  });

  it('are one dead letter together where they are more than allowed, and nothing is done for a single one', () => {
    const stringify = vi.spyOn(JSON, 'stringify');
    onTestFinished(() => stringify.mockRestore());
    const parsed = (count: number, most?: number) =>
      parseMessage(
        message(`{"Records":[${Array(count).fill('{"eventName":"ObjectCreated:Put"}').join()}]}`),
        {
          ...rules,
          ...(most !== undefined && { messageRequests: most }),
        },
      );
    expect(parsed(1001)).toEqual({
      kind: 'unreadable',
      requestId: `t/0/5@${timestamp}`,
      code: 'too_many_requests',
      reason: expect.stringMatching(
        /has 1001 records; the limit is 1000 .*VISIONSCALE_MESSAGE_REQUESTS/,
      ) as string,
      belt: null,
      traceparent: null,
    });
    expect(parsed(30_000)).toMatchObject({ code: 'too_many_requests' });
    expect(parsed(3, 2)).toMatchObject({ code: 'too_many_requests' });
    expect(stringify).not.toHaveBeenCalled();
    expect(parsed(1000)).toMatchObject({ kind: 'requests', refused: [{ code: 'unreadable_message' }] });
    expect(parsed(30_000, 30_000)).toMatchObject({ kind: 'requests' });
    expect(parsed(2, 2)).toMatchObject({ kind: 'requests' });
    // Whatever many records it has, its work does not grow with them.
    expect(stringify).not.toHaveBeenCalled();
  });

  it('too many of them are known by the message’s place, whatever a header calls it, and by its own id as a retry', () => {
    const records = { Records: Array(3).fill(aws('a.jpg')) };
    const two = { ...rules, messageRequests: 2 };
    const sent = { [header.requestId]: 'mine' };
    expect(parseMessage(message(records, sent), two)).toMatchObject({ requestId: `t/0/5@${timestamp}` });
    expect(parseMessage(message(records, { ...sent, [header.retry]: '1' }), two)).toMatchObject({
      requestId: 'mine',
    });
  });

  it('may be nested deeper than can be written again', () => {
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    const text = `{"Records":[${JSON.stringify(aws('a.jpg')).slice(0, -1)},"x":${deep}},${JSON.stringify(aws('b.jpg'))}]}`;
    const found = parseMessage(message(text), rules);
    expect(found).toMatchObject({ requests: [{ imageKey: 'a.jpg' }, { imageKey: 'b.jpg' }] });
    const { alone, id } = (found as { requests: Request[] }).requests[0]!;
    expect(parseMessage({ ...message(''), value: alone }, rules)).toMatchObject({
      requests: [{ id, imageKey: 'a.jpg' }],
    });
  });
});

it('belongs to no store that is a directory, unless its bucket is allowed', () => {
  expect(parseMessage(message({ Records: [aws('a')] }))).toMatchObject({
    refused: [{ code: 'bucket_not_allowed', reason: expect.stringContaining('--buckets') as string }],
  });
  expect(
    requests({ Records: [aws('a')] }, { store: null, buckets: ['photos'], eventKeys: 'auto' }),
  ).toMatchObject([{ bucket: 'photos', imageKey: 'a' }]);
});
