/** The SQL roles of `init --roles` on the real PostgreSQL: what each may do is enough for its commands, and no more. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrate } from '../../src/lib/systems/database/migrate.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { type RoleName, roleNames } from '../../src/lib/systems/database/rights.ts';
import { makeRoles, refreshRoles, rolesHeld } from '../../src/lib/systems/database/roles.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, writeColorModel } from '../support/color-model.ts';
import { testRole, type TestRole } from '../support/roles.ts';
import { describeWith } from '../support/servers.ts';
import { itThorough } from '../support/thorough.ts';

const timeout = 120_000;

describeWith('PostgreSQL', 'SQL roles', (server) => {
  // What has to be quoted, in every place.
  const name = `visionscale test "${randomBytes(4).toString('hex')}`;
  let owner: TestRole;
  const logins = {} as Record<RoleName, TestRole>;
  let database: Database;
  const opened: Database[] = [];
  const group = (role: RoleName) => `visionscale_${name}_${role}`;
  const quoted = (text: string) => pg.escapeIdentifier(text);
  const url = (role: TestRole) => role.on(server, encodeURIComponent(name));

  async function open(role: TestRole): Promise<pg.Pool> {
    const one = await openDatabase({ kind: 'server', connection: { connectionString: url(role) } });
    opened.push(one);
    return one.pool;
  }

  beforeAll(async () => {
    owner = await testRole(server, {}, 'createrole');
    await owner.sql(`create database ${quoted(name)} owner ${owner.name} template template0 encoding 'UTF8'`);
    await owner.sql(`grant create on schema public to ${owner.name}`, encodeURIComponent(name));
    const connection = { connectionString: url(owner) };
    database = await openDatabase({ kind: 'server', connection });
    await migrate(database.pool);
    await makeRoles(database.pool);
    for (const role of roleNames) {
      logins[role] = await testRole(server);
      await owner.sql(`grant ${quoted(group(role))} to ${logins[role].name}`);
    }
  }, timeout);

  afterAll(async () => {
    for (const one of opened) await one[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    for (const login of Object.values(logins)) await login[Symbol.asyncDispose]();
    await owner.sql(`drop database ${quoted(name)} with (force)`);
    for (const role of roleNames) await owner.sql(`drop role ${quoted(group(role))}`);
    await owner[Symbol.asyncDispose]();
  }, timeout);

  it('are made once, by whoever asks first', async () => {
    const both = await Promise.all([makeRoles(database.pool), makeRoles(database.pool)]);
    for (const { roles } of both) {
      expect(roles).toEqual(roleNames.map((role) => ({ role, name: group(role), created: false })));
    }
  });

  it.each(roleNames)('%s has its own rights, and those that it includes', async (role) => {
    const included = { producer: [], consumer: [], reader: [], operator: ['producer', 'consumer', 'reader'] };
    expect(await rolesHeld(await open(logins[role]))).toEqual([...included[role], role]);
  });

  const refused: [RoleName, string, string][] = [
    ['consumer', 'insert requests', `insert into image_info (image_key) values ('a')`],
    ['consumer', 'delete requests', 'delete from image_info'],
    ['consumer', 'read what came by HTTP', 'select from ingested'],
    ['consumer', 'change the model', `update active_models set digest = ''`],
    ['consumer', 'change the bins', `delete from active_bins`],
    ['consumer', 'change a prediction', `update prediction_results set category = 'x'`],
    ['consumer', 'delete a prediction', 'delete from prediction_results'],
    ['consumer', 'change the message of a dead letter', `update dead_letters set message_value = null`],
    ['consumer', 'move a dead letter to another request', `update dead_letters set request_id = 'x'`],
    ['consumer', 'delete a dead letter', 'delete from dead_letters'],
    ['consumer', 'add partitions', `insert into topic_heads (topic, partition) values ('t', 1)`],
    ['producer', 'write a prediction', `insert into prediction_results (image_key) values ('x')`],
    ['producer', 'read the message of a dead letter', 'select message_value from dead_letters'],
    ['producer', 'rename an image', `update image_info set image_key = 'x'`],
    ['producer', 'delete an image', 'delete from image_info'],
    ['producer', 'move a position', `update positions set next_offset = 0`],
    ['producer', 'take a partition', `update owners set owner = 'x'`],
    ['producer', 'read the topic', 'select value from topic_records'],
    ['producer', 'change the model', `insert into active_models (pipeline, digest) values ('x', 'y')`],
    ['reader', 'insert an image', `insert into image_info (image_key) values ('a')`],
    ['reader', 'lock a row', 'select from owners for share'],
    ['reader', 'correct', `insert into corrections (pipeline, image_key) values ('a', 'b')`],
    ['operator', 'say what is migrated', `delete from schema_migrations`],
    ['operator', 'drop a table', 'drop table suspects'],
    ['operator', 'add a column', 'alter table suspects add column more text'],
    ['operator', 'empty a table unseen', 'truncate suspects'],
  ];
  it.each(refused)('%s may not %s, and is told which role may', async (role, _, sql) => {
    await expect((await open(logins[role])).query(sql)).rejects.toMatchObject({
      code: 'database_permission_denied',
      retryable: false,
      message: expect.stringContaining(`for the role ${logins[role].name}`) as string,
      // No command is known here: what none of the others may do is the operator's.
      hint: expect.stringContaining(
        role === 'operator' ? 'init --roles' : `GRANT ${quoted(group('operator'))} TO`,
      ) as string,
    });
  });

  it('come to have rights on what a later version brings, by plain init too', async () => {
    const first = await open(logins.consumer);
    await owner.sql(
      `revoke insert on prediction_results from ${quoted(group('consumer'))}`,
      encodeURIComponent(name),
    );
    expect(await rolesHeld(first)).toEqual([]);
    // As a pool of a later run sees them.
    expect((await refreshRoles(await open(owner))).roles.map((one) => one.name).sort()).toEqual(
      roleNames.map(group).sort(),
    );
    expect(await rolesHeld(first)).toEqual(['consumer']);
    await owner.sql(
      `grant delete on prediction_results to ${quoted(group('consumer'))}`,
      encodeURIComponent(name),
    );
    await refreshRoles(await open(owner));
    await expect(first.query('delete from prediction_results')).rejects.toThrow('permission denied');
  });

  it('are refused to another than the owner of the tables, who is named', async () => {
    await expect(makeRoles(await open(logins.operator))).rejects.toMatchObject({
      code: 'database_permission_denied',
      hint: `Run \`visionscale init --roles\` as ${owner.name}.`,
    });
  });

  it(
    'are an administrator’s to make where the owner may not, who grants them their rights then',
    async () => {
      await using plain = await testRole(server);
      const own = `visionscale_test_${randomBytes(4).toString('hex')}`;
      await plain.create(own);
      await plain.sql(`grant create on schema public to ${plain.name}`, own);
      await using one = await openDatabase({
        kind: 'server',
        connection: { connectionString: plain.on(server, own) },
      });
      await migrate(one.pool);
      const error = (await makeRoles(one.pool).catch((thrown: unknown) => thrown)) as {
        code: string;
        hint: string;
      };
      expect(error.code).toBe('cannot_create_roles');
      const sql = error.hint.split('\n').filter((line) => line.startsWith('  CREATE ROLE'));
      expect(sql).toHaveLength(roleNames.length);
      try {
        for (const line of sql) await plain.sql(line);
        expect((await makeRoles(one.pool)).roles.every(({ created }) => !created)).toBe(true);
        // Of another installation: rights there would be rights here.
        await expect(makeRoles(database.pool, `visionscale_${own}`)).rejects.toMatchObject({
          code: 'role_taken',
        });
      } finally {
        for (const role of roleNames)
          await plain.sql(
            `drop owned by visionscale_${own}_${role}; drop role visionscale_${own}_${role}`,
            own,
          );
      }
    },
    timeout,
  );

  it('do not come from a role that can log in', async () => {
    const prefix = `visionscale_test_${randomBytes(4).toString('hex')}`;
    await owner.sql(`create role ${prefix}_reader login`);
    try {
      await expect(makeRoles(database.pool, prefix)).rejects.toMatchObject({ code: 'role_taken' });
    } finally {
      await owner.sql(`drop role ${prefix}_reader`);
    }
  });

  itThorough(
    'are enough for the commands of each, and name what is missing for the others',
    async () => {
      await using rig = await Rig.open({ KAFKA_TOPIC: 'belts' });
      const as = (role: RoleName) => ({ DATABASE_URL: url(logins[role]) });
      rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
      rig.env['VISIONSCALE_STORE'] = `file://${join(rig.dir, 'store')}`;
      const images = join(rig.dir, 'images');
      mkdirSync(images);
      for (let n = 0; n < 4; n++) writeFileSync(join(images, `red ${n}.png`), await colorImage('red', n));
      writeFileSync(join(images, 'broken.png'), (await colorImage('red', 9)).subarray(0, 60));

      const made = await rig.run(['init', '--roles'], { DATABASE_URL: url(owner) });
      expect(made).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(
          `GRANT "${group('consumer').replace('"', '""')}" TO belt1;`,
        ) as string,
      });

      expect(await rig.json(['upload', images, '--exclude', 'broken.png'], as('producer'))).toMatchObject({
        uploaded: 4,
      });
      expect(await rig.json(['produce'], as('producer'))).toMatchObject({ produced: 4 });
      expect(await rig.json(['produce', '--again'], as('producer'))).toMatchObject({ produced: 4 });
      await database.pool.query(`insert into image_info (image_key) values ('gone.png')`);
      expect(await rig.json(['produce'], as('producer'))).toMatchObject({ produced: 1 });
      expect(await rig.json(['consume', '--until-drained'], as('consumer'))).toMatchObject({
        predicted: 8,
        deadLettered: 1,
      });
      expect(await rig.json(['consume', '--group', '--until-drained'], as('consumer'))).toMatchObject({
        predicted: 0,
      });
      expect(await rig.json(['status', '--exit-zero'], as('reader'))).toMatchObject({
        predictions: 8,
        deadLetters: 1,
      });
      expect(await rig.run(['results'], as('reader'))).toMatchObject({ code: 0 });
      expect(await rig.json(['dead-letters', 'list'], as('reader'))).toBeTruthy();
      await rig.json(['audit'], as('reader'));
      expect(await rig.json(['dead-letters', 'retry', '--all'], as('operator'))).toBeTruthy();
      expect(await rig.json(['consume', '--until-drained'], as('consumer'))).toMatchObject({ predicted: 0 });
      await rig.json(['dead-letters', 'drop', '--all', '--yes'], as('operator'));
      await rig.json(['correct', 'red 0.png', 'green'], as('operator'));
      await rig.json(['topic', 'grow', '--partitions', '4', '--yes'], as('operator'));
      for (const role of roleNames) {
        const { stdout } = await rig.run(['doctor'], as(role));
        expect(stdout).toMatch(
          role === 'operator' ? /readable and writable/ : new RegExp(`with the rights of ${role}`),
        );
      }

      const other: [string[], RoleName, RoleName][] = [
        [['upload', images], 'consumer', 'producer'],
        [['produce', '--again'], 'reader', 'producer'],
        [['consume', '--until-drained'], 'producer', 'consumer'],
        [['consume', '--until-drained'], 'reader', 'consumer'],
        [['status'], 'producer', 'reader'],
        [['correct', 'red 1.png', 'green'], 'consumer', 'operator'],
      ];
      for (const [args, role, needs] of other) {
        const { code, stderr } = await rig.run(args, as(role));
        expect(stderr, args.join(' ')).toMatch(
          /^visionscale: .*: permission denied for table \w+, for the role \w+$/m,
        );
        expect(stderr).toContain(`GRANT "${group(needs).replace('"', '""')}" TO "${logins[role].name}";`);
        expect(code).toBe(1);
      }
    },
    timeout,
  );
});
