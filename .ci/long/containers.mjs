/** Builds the image and runs the services of compose.yaml in namespaces: see ./containers, which says with what. */
import { Buffer } from 'node:buffer';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { interpolate, pairs, parseDockerfile, parseEnvFile } from '../lib/dockerfile.mjs';

const checkout = resolve(import.meta.dirname, '../..');
const data = resolve(process.env.VISIONSCALE_TEST_DATA);
const run = `containers-${process.pid}`;
const work = mkdtempSync('/var/tmp/visionscale-containers.');
const figures = [];
const figure = (what, value) => {
  figures.push(`${what.padEnd(58)} ${value}`);
  say(figures.at(-1));
};
const say = (text) => process.stderr.write(`${text}\n`);
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;
const quoted = (word) => `'${String(word).replaceAll("'", `'\\''`)}'`;
const shellLine = (words) => words.map(quoted).join(' ');

function sh(text, options = {}) {
  return execFileSync('bash', ['-euc', text], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1e8,
    ...options,
  });
}

// --- the image

/** Runs the stages of the Dockerfile; returns the root and what the image says of how it is run. */
function buildImage() {
  const stages = parseDockerfile(readFileSync(join(checkout, 'deploy/docker/Dockerfile'), 'utf8'));
  const context = buildContext();
  const roots = {};
  let image;
  for (const [number, stage] of stages.entries()) {
    const root = join(work, `stage-${stage.name ?? number}`);
    baseRoot(stage.from, root);
    image = {
      root,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      user: '0:0',
      workdir: '/',
    };
    for (const { keyword, text, words, flags } of stage.steps) {
      const began = Date.now();
      if (keyword === 'RUN') inRoot(image, text);
      else if (keyword === 'ENV') Object.assign(image.env, pairs(words));
      else if (keyword === 'WORKDIR') {
        image.workdir = words[0];
        mkdirSync(join(root, words[0]), { recursive: true });
      } else if (keyword === 'COPY')
        copy(words, flags.from === undefined ? context : roots[flags.from], image);
      else if (keyword === 'USER') image.user = words[0];
      else if (keyword === 'ENTRYPOINT') image.entrypoint = words;
      else if (keyword === 'CMD') image.command = words;
      else if (keyword === 'HEALTHCHECK') image.test = ['CMD', ...JSON.parse(text.replace(/^CMD /, ''))];
      else throw new Error(`no way to do ${keyword} ${text}`);
      say(`  ${seconds(began).padStart(8)}  ${keyword} ${text.slice(0, 90)}`);
    }
    if (stage.name !== undefined) roots[stage.name] = root;
  }
  return image;
}

/** What the .dockerignore leaves of the checkout: it has to be a list of what is let through. */
function buildContext() {
  const lines = readFileSync(join(checkout, 'deploy/docker/Dockerfile.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.shift() !== '*' || lines.some((line) => !line.startsWith('!')))
    throw new Error('the .dockerignore is no list of what is let through');
  const context = join(work, 'context');
  mkdirSync(context);
  for (const line of lines)
    cpSync(join(checkout, line.slice(1)), join(context, line.slice(1)), { recursive: true });
  return context;
}

function baseRoot(from, root) {
  mkdirSync(root);
  sh(`tar -C ${root} -xf "$VISIONSCALE_CI_DEBIAN"`);
  // As the slim images have it: no documentation, also not that of packages to come, no lists, no downloads.
  sh(`cd ${root}
    rm -rf usr/share/{doc,man,info,locale,lintian}/* var/cache/apt/*.bin var/cache/apt/archives/*.deb var/lib/apt/lists/* var/log/*.log
    printf 'path-exclude /usr/share/%s/*\\n' doc man info locale lintian >etc/dpkg/dpkg.cfg.d/docker
    echo 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };' >etc/apt/apt.conf.d/docker-clean
    echo 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";' >>etc/apt/apt.conf.d/docker-clean
    rm -f etc/apt/sources.list
    for suite in bookworm bookworm-updates; do echo "deb http://deb.debian.org/debian $suite main"; done >etc/apt/sources.list.d/debian.list
    echo 'deb http://deb.debian.org/debian-security bookworm-security main' >>etc/apt/sources.list.d/debian.list`);
  if (from.startsWith('node:')) {
    sh(`cd ${root}/usr/local; cp "$VISIONSCALE_CI_NODE" bin/node; cp -r "$VISIONSCALE_CI_NPM/include" .
      mkdir -p lib/node_modules; cp -r "$VISIONSCALE_CI_NPM/lib/node_modules/npm" lib/node_modules/
      for name in npm npx; do chmod +x lib/node_modules/npm/bin/$name-cli.js; ln -s ../lib/node_modules/npm/bin/$name-cli.js bin/$name; done`);
  } else if (!from.startsWith('debian:bookworm-')) throw new Error(`nothing stands in for ${from}`);
}

/** A RUN step. This network's resolver, certificates and npm's cache are there while it runs, and leave nothing. */
function inRoot(image, text) {
  const { root } = image;
  const env = {
    ...image.env,
    HOME: '/root',
    NODE_EXTRA_CA_CERTS: '/run/ca.crt',
    DEBIAN_FRONTEND: 'noninteractive',
  };
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  sh(
    `touch ${root}/run/ca.crt; mkdir -p ${root}/root/.npm; cache=$(npm config get cache 2>/dev/null); mkdir -p "$cache"
    unshare --mount --pid --fork --kill-child bash -euc '
      mount --make-rprivate /; cd ${root}; mount -t proc proc proc; mount --rbind /dev dev
      touch etc/resolv.conf; mount --bind /etc/resolv.conf etc/resolv.conf
      mount --bind /etc/ssl/certs/ca-certificates.crt run/ca.crt; mount --bind "$1" root/.npm; shift
      exec chroot . /usr/bin/env -i -C ${image.workdir} "$@"' - "$cache" ${shellLine(words)} /bin/sh -c ${quoted(text)}
    rm ${root}/run/ca.crt; rmdir ${root}/root/.npm`,
    { stdio: ['ignore', 'pipe', openSync(join(work, 'build.log'), 'a')] },
  );
}

function copy(words, from, { root, workdir }) {
  const target = words.at(-1);
  const sources = words.slice(0, -1);
  const to = join(root, resolve(workdir, target));
  for (const source of sources) {
    const path = join(from, source);
    // A directory's contents, a file into a directory, or a file under a name.
    const isInto = statSync(path).isFile() && (target.endsWith('/') || sources.length > 1);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(path, isInto ? join(to, basename(source)) : to, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
    });
  }
}

// --- containers

/** Of an image that cannot be had here: this machine's program, run as the image's entry point would run it. */
const standIns = {
  kafka: ({ environment: env }) => {
    const own = /^KAFKA_(HEAP_OPTS|OPTS|JVM_PERFORMANCE_OPTS|LOG4J_\w+)$/;
    const lines = Object.entries(env)
      .filter(([name]) => name.startsWith('KAFKA_') && !own.test(name))
      .map(([name, value]) => `${name.slice(6).toLowerCase().replaceAll('_', '.')}=${value}`);
    const java = `java ${env.KAFKA_HEAP_OPTS} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/mnt/kafka/*'`;
    return {
      uid: 1000,
      owns: '/var/lib/kafka/data',
      binds: [[process.env.VISIONSCALE_CI_KAFKA, '/mnt/kafka']],
      script: `printf '%s\\n' ${shellLine(lines)} >/tmp/server.properties
        ${java} kafka.tools.StorageTool format --ignore-formatted -t ${env.CLUSTER_ID} -c /tmp/server.properties
        exec ${java} kafka.Kafka /tmp/server.properties`,
    };
  },
  postgres: ({ environment: env }) => {
    const uid = Number(sh('id -u postgres'));
    const bin = process.env.VISIONSCALE_CI_POSTGRES;
    return {
      uid,
      owns: '/var/lib/postgresql',
      path: bin,
      script: `dir=/var/lib/postgresql/18/docker
        if [ ! -s $dir/PG_VERSION ]; then
          mkdir -p $dir
          initdb -D $dir -U "$POSTGRES_USER" --pwfile=<(echo "$POSTGRES_PASSWORD") --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale=C.UTF-8
          echo 'host all all all scram-sha-256' >>$dir/pg_hba.conf
          echo "create database ${env.POSTGRES_DB}" | postgres --single -D $dir postgres
        fi
        exec postgres -D $dir -h '*' -k /tmp`,
    };
  },
  s3: () => ({
    uid: 0,
    owns: '/data',
    binds: [[process.env.VISIONSCALE_CI_VERSITYGW, '/mnt/versitygw']],
    script: 'exec /mnt/versitygw "$VGW_BACKEND" "$VGW_BACKEND_ARG"',
  }),
};

const address = '10.77.7';
const addresses = new Map(); // by the name of a container
const containers = [];

function network() {
  sh(
    `ip netns add ${run}-switch; ip -n ${run}-switch link add br0 type bridge; ip -n ${run}-switch link set br0 up`,
  );
}

let connected = 0;
function connect(name) {
  const at = `${address}.${10 + ++connected}`;
  addresses.set(name, at);
  const [space, port] = [`${run}-${name}`, `p${connected}`];
  sh(`ip netns add ${space}
    ip -n ${run}-switch link add ${port} type veth peer name eth0 netns ${space}
    ip -n ${run}-switch link set ${port} master br0 up
    ip -n ${space} link set lo up; ip -n ${space} address add ${at}/24 dev eth0; ip -n ${space} link set eth0 up`);
  return space;
}

/** Starts a container of a service and returns when its first process is there. */
async function start(image, service, name, { words } = {}) {
  const space = connect(name);
  const dir = join(work, name);
  for (const part of ['upper', 'work', 'root']) mkdirSync(join(dir, part), { recursive: true });
  const standIn = standIns[service.name]?.(service);
  const isOurs = standIn === undefined;
  const root = join(dir, 'root');
  const uid = isOurs ? Number((service.user ?? image.user).split(':')[0]) : standIn.uid;
  const path = isOurs ? image.env.PATH : `${standIn.path ?? ''}:${process.env.PATH}`;
  const env = { ...(isOurs ? image.env : {}), ...service.environment, PATH: path, HOSTNAME: name };
  const workdir = isOurs ? image.workdir : '/';
  const argv = isOurs
    ? [
        ...(service.entrypoint ?? image.entrypoint),
        ...(words ?? service.command ?? (service.entrypoint ? [] : image.command)),
      ]
    : ['bash', '-euc', standIn.script];
  const hosts = [...addresses].map(([host, at]) => `${at} ${host} ${host.replace(/-\d+$/, '')}`);
  writeFileSync(join(dir, 'hosts'), `127.0.0.1 localhost\n${hosts.join('\n')}\n`);
  const mounts = [
    ...(service.tmpfs ?? []).map(tmpfs),
    ...(service.volumes ?? []).map((line) => volume(line, image, isOurs)),
  ];
  if (!isOurs)
    mounts.push(
      `chown -R ${uid}:${uid} ./${standIn.owns}`,
      ...(standIn.binds ?? []).map(
        ([from, to]) =>
          `at=./${to}; if [ -d ${from} ]; then mkdir -p $at; else mkdir -p $(dirname $at); touch $at; fi; mount --bind ${from} $at`,
      ),
    );
  const drop = isOurs && service.cap_drop?.includes('ALL') ? ['--bounding-set=-all', '--inh-caps=-all'] : [];
  const privileges =
    isOurs && service.security_opt?.includes('no-new-privileges:true') ? ['--no-new-privs'] : [];
  const as = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...drop, ...privileges, '--'];
  const environment = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  const prefix = ['/usr/bin/env', '-i', '-C', workdir, ...environment, ...as];
  writeFileSync(
    join(dir, 'start'),
    `set -eu
    mount --make-rprivate /
    mount -t overlay ${name} -o lowerdir=${isOurs ? image.root : '/'},upperdir=${dir}/upper,workdir=${dir}/work ${root}
    cd ${root}
    mount -t proc proc proc
    mount -t tmpfs -o mode=755 dev dev
    for node in null zero full random urandom; do touch dev/$node; mount --bind /dev/$node dev/$node; done
    ln -s /proc/self/fd dev/fd
    mkdir dev/shm; mount -t tmpfs -o mode=1777,size=64m shm dev/shm
    ${isOurs ? '' : 'mount -t tmpfs -o mode=1777 tmp tmp'}
    touch etc/hosts; mount --bind ${dir}/hosts etc/hosts
    hostname ${name}
    ${mounts.join('\n')}
    ${service.read_only ? 'mount -o remount,bind,ro .' : ''}
    exec chroot . ${shellLine([...prefix, ...argv])}\n`,
  );
  const log = openSync(join(dir, 'log'), 'w');
  const child = spawn(
    'ip',
    [
      'netns',
      'exec',
      space,
      'unshare',
      '--mount',
      '--pid',
      '--uts',
      '--ipc',
      '--fork',
      '--kill-child',
      'bash',
      join(dir, 'start'),
    ],
    { stdio: ['ignore', log, log] },
  );
  closeSync(log);
  const container = { name, service, dir, space, prefix, child, code: null, pid: undefined };
  container.ended = new Promise((done) =>
    child.once('exit', (code, signal) => done((container.code = code ?? signal))),
  );
  container.test = service.healthcheck?.disable
    ? undefined
    : (service.healthcheck?.test ?? (isOurs ? image.test : undefined));
  containers.push(container);
  while (container.pid === undefined && container.code === null) {
    try {
      container.pid =
        Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0]) ||
        undefined;
    } catch {
      // Ended meanwhile.
    }
    await sleep(20);
  }
  return container;
}

function tmpfs(line) {
  const [at, options = ''] = line.split(':');
  return `mkdir -p ./${at}; mount -t tmpfs -o nosuid,nodev,noexec,${options} tmpfs ./${at}`;
}

/** A new named volume gets what the image has at that place, and its owner. */
function volume(entry, image, isOurs) {
  const [from, at, mode] =
    typeof entry === 'string' ? entry.split(':') : [entry.source, entry.target, entry.read_only ? 'ro' : ''];
  const isNamed = typeof entry === 'string' && !/^[./]/.test(from);
  const source = isNamed ? join(work, 'volumes', from) : resolve(join(work, 'compose'), from);
  if (!existsSync(source)) {
    if (!isNamed && entry.bind?.create_host_path !== true) throw new Error(`${source} is not there`);
    mkdirSync(source, { recursive: true });
    const inImage = join(image.root, at);
    if (isOurs && isNamed && existsSync(inImage)) {
      sh(
        `cp -a ${inImage}/. ${source}/; chown --reference=${inImage} ${source}; chmod --reference=${inImage} ${source}`,
      );
    }
  }
  const point = statSync(source).isDirectory()
    ? `mkdir -p ./${at}`
    : `mkdir -p ./${dirname(at)}; touch ./${at}`;
  return `${point}; mount --bind ${source} ./${at}${mode === 'ro' ? `; mount -o remount,bind,ro ./${at}` : ''}`;
}

/** Whether the container's own health check passes. */
function isHealthy({ pid, prefix, test }) {
  const words = test[0] === 'CMD' ? test.slice(1) : ['/bin/sh', '-c', test[1]];
  const entered = ['-t', pid, '-m', '-p', '-u', '-i', '-n', '-r', '--', ...prefix, ...words].map(String);
  return spawnSync('nsenter', entered, { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

async function untilHealthy(container) {
  const deadline = Date.now() + 120_000;
  while (!isHealthy(container)) {
    if (container.code !== null || Date.now() > deadline)
      fail(container, container.code === null ? 'is not healthy' : `ended with ${container.code}`);
    await sleep(200);
  }
}

function fail({ name, dir }, what) {
  throw new Error(
    `${name} ${what}; the end of its log:\n${readFileSync(join(dir, 'log'), 'utf8').split('\n').slice(-25).join('\n')}`,
  );
}

/** As `docker compose stop`: its signal, its patience, then SIGKILL, which is a failure here. */
async function stop(container) {
  if (container.code === null) {
    process.kill(container.pid, container.service.name === 'postgres' ? 'SIGINT' : 'SIGTERM');
    const patience = Number.parseInt(container.service.stop_grace_period ?? '10', 10) * 1000;
    const late = sleep(patience, 'late', { ref: false });
    if ((await Promise.race([container.ended, late])) === 'late') {
      container.child.kill('SIGKILL');
      await container.ended;
      fail(container, `did not end within ${patience / 1000} s`);
    }
    // 143: a program that has no handler of its own; java and versitygw.
    if (![0, 143, 'SIGTERM'].includes(container.code)) fail(container, `ended with ${container.code}`);
  }
  sh(`ip netns delete ${container.space}`);
  addresses.delete(container.name);
  containers.splice(containers.indexOf(container), 1);
}

// --- compose

function loadCompose() {
  const dir = join(work, 'compose');
  const env = parseEnvFile(readFileSync(join(dir, '.env'), 'utf8'));
  const { services } = interpolate(
    parse(readFileSync(join(dir, 'compose.yaml'), 'utf8'), { merge: true }),
    env,
  );
  for (const [name, service] of Object.entries(services)) service.name = name;
  return services;
}

/** Starts services in the order of their conditions. */
async function up(image, services) {
  const began = Date.now();
  const begun = new Map();
  const begin = (name) => {
    if (!begun.has(name)) begun.set(name, bring(name));
    return begun.get(name);
  };
  const bring = async (name) => {
    const service = services[name];
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const [first] = await begin(other);
      if (condition === 'service_healthy') await untilHealthy(first);
      else if ((await first.ended) !== 0) fail(first, `ended with ${first.code}`);
    }
    const replicas = Number(service.deploy?.replicas ?? 1);
    const started = [];
    for (let n = 1; n <= replicas; n++)
      started.push(await start(image, service, replicas === 1 ? name : `${name}-${n}`));
    return started;
  };
  const wanted = Object.values(services).filter(({ profiles }) => profiles === undefined);
  const all = (await Promise.all(wanted.map(({ name }) => begin(name)))).flat();
  for (const container of all) if (container.test !== undefined) await untilHealthy(container);
  for (const container of all.filter(({ service }) => service.name === 'init')) await stop(container);
  return seconds(began);
}

async function down() {
  const began = Date.now();
  const isServer = ({ service: { name } }) => name in standIns;
  await Promise.all(containers.filter((one) => !isServer(one)).map(stop));
  await Promise.all(containers.filter(isServer).map(stop));
  sh(`ip netns delete ${run}-switch`);
  const took = seconds(began);
  const left = remains();
  if (left.length > 0) throw new Error(`after down there is still:\n${left.join('\n')}`);
  return took;
}

/** Processes, mounts and network namespaces of this run. */
function remains() {
  const processes = readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return (
        readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(work) ||
        readlinkSync(`/proc/${pid}/root`).startsWith(work)
      );
    } catch {
      return false;
    }
  });
  return [
    ...processes.map((pid) => `process ${pid}`),
    ...readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(work)),
    ...sh('ip netns list')
      .split('\n')
      .filter((line) => line.startsWith(run)),
  ];
}

/** `docker compose run --rm SERVICE WORDS…`: what it printed. */
let jobs = 0;
async function job(image, service, words) {
  const container = await start(image, service, `${service.name}-${100 + ++jobs}`, { words });
  await container.ended;
  if (container.code !== 0) fail(container, `${words?.join(' ') ?? ''} ended with ${container.code}`);
  const log = readFileSync(join(container.dir, 'log'), 'utf8');
  await stop(container);
  return log;
}

function sql(services, query) {
  const {
    POSTGRES_USER: user,
    POSTGRES_PASSWORD: password,
    POSTGRES_DB: name,
  } = services.postgres.environment;
  const url = `postgres://${user}:${password}@${addresses.get('postgres')}/${name}`;
  return sh(`ip netns exec ${run}-postgres psql ${quoted(url)} -qAtXc ${quoted(query)}`).trim();
}

async function until(what, isSo, patience = 120) {
  const deadline = Date.now() + patience * 1000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`after ${patience} s it is not so that ${what}`);
    for (const container of containers)
      if (container.code !== null && container.service.restart)
        fail(container, `ended with ${container.code}`);
    await sleep(200);
  }
}

// --- what is proved

async function prove() {
  cpSync(join(checkout, 'deploy/compose'), join(work, 'compose'), {
    recursive: true,
    filter: (path) => basename(path) !== '.env',
  });
  let began = Date.now();
  const image = process.env.IMAGE ? JSON.parse(readFileSync(process.env.IMAGE, 'utf8')) : buildImage();
  writeFileSync(join(work, 'image.json'), JSON.stringify(image));
  const megabytes = Number(sh(`du -sm --apparent-size ${image.root}`).split('\t')[0]);
  figure('image built', seconds(began));
  figure('root of the image', `${megabytes} MB`);
  if (megabytes >= 400) throw new Error('the image has to stay below 400 MB');
  if (image.user.startsWith('0')) throw new Error('the image runs as root');

  sh(`${join(work, 'compose/compose.sh')} env`);
  if ((statSync(join(work, 'compose/.env')).mode & 0o077) !== 0) throw new Error('others can read .env');
  mkdirSync(join(work, 'training'));
  sh(
    `cd ${data}/images/grocery; find . -type d -print0 | xargs -0 -I{} sh -c 'n=$(find "{}" -maxdepth 1 -type f -name "*.jpg" | wc -l); [ $n -lt 20 ] || echo "{}"' | sort | head -n 3 | while read -r d; do mkdir -p "${work}/training/$(basename "$d")"; find "$d" -maxdepth 1 -name "*.jpg" | sort | head -n 20 | xargs cp -t "${work}/training/$(basename "$d")"; done; chmod -R a+rX ${work}/training`,
  );
  appendFileSync(
    join(work, 'compose/.env'),
    `IMG_DIR=${data}/images/imagenet-sample\nTRAINING_DATA_DIR=${work}/training\nCLASS_NAMES=${readdirSync(join(work, 'training')).slice(0, 2).join(',')}\n` +
      `IMAGENET_WEIGHTS=${data}/models/squeezenet1_1-imagenet/squeezenet1_1-zip.pth\n`,
  );
  const services = loadCompose();

  network();
  figure('up, until every health check passes', await up(image, services));
  const ours = containers.filter(({ service }) => !(service.name in standIns));
  for (const { pid, name } of ours) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (!/^Uid:\t10001\t/m.test(status) || !/^CapEff:\t0+$/m.test(status))
      throw new Error(`${name} has more rights than it should`);
    if (
      existsSync(`/proc/${pid}/root/opt/x`) ||
      spawnSync('touch', [`/proc/${pid}/root/opt/x`], { stdio: 'ignore' }).status === 0
    )
      throw new Error(`${name} can write to its image`);
  }

  const rows = () =>
    sql(services, `select count(*) || ' ' || count(distinct request_id) from prediction_results`);
  began = Date.now();
  await job(image, services.cli, ['upload']);
  await until('200 uploaded images are rows', () => rows() === '200 200');
  figure('200 photographs, upload to rows', seconds(began));
  const makers = sql(services, 'select count(distinct hostname) from prediction_results');
  if (makers !== '3') throw new Error(`rows come from ${makers} consumers, not from three`);

  began = Date.now();
  const labels = await job(image, services.classify);
  figure('200 photographs by HTTP, profile classify', seconds(began));
  if (!labels.includes('tench')) throw new Error(`classify shows no labels:\n${labels}`);
  await until('200 posted images are rows', () => rows() === '400 400', 10);
  await job(image, services.cli, ['audit']);

  began = Date.now();
  await job(image, services.train);
  const models = await job(image, services.cli, ['model', 'list']);
  if (!models.includes('trained')) throw new Error(`train left no model:\n${models}`);
  figure('40 photographs of two classes, profile train', seconds(began));

  for (const n of [4, 5]) await start(image, services.consume, `consume-${n}`);
  for (const one of containers.filter(({ name }) => /^consume-[45]$/.test(name))) await untilHealthy(one);
  began = Date.now();
  await Promise.all(containers.filter(({ name }) => /^consume-[123]$/.test(name)).map(stop));
  const owners = () =>
    sql(services, 'select count(*) from owners where owner is not null and expires_at > clock_timestamp()');
  await until('the two consumers own the three partitions', () => owners() === '3');
  figure('--scale consume=5, three stopped: the others own all after', seconds(began));
  figure('down', await down());

  network();
  figure('up again on the same volumes', await up(image, services));
  if (rows() !== '400 400') throw new Error(`after the second start there are ${rows()} rows`);
  await job(image, services.cli, ['upload', '--prefix', 'again']);
  await until('200 more images are rows', () => rows() === '600 600');
  if (sql(services, 'select count(*) from dead_letters') !== '0') throw new Error('there are dead letters');
  figure('rows, each once', rows().split(' ')[0]);
  figure('down again', await down());
}

let code = 0;
try {
  await prove();
  process.stdout.write(`${figures.join('\n')}\n`);
} catch (error) {
  code = 1;
  say(`error: ${error.stack}`);
  if (error.stderr) say(Buffer.from(error.stderr).toString().split('\n').slice(-20).join('\n'));
} finally {
  for (const { child } of containers) child.kill('SIGKILL');
  await Promise.all(containers.map(({ ended }) => ended));
  for (const line of sh('ip netns list').split('\n'))
    if (line.startsWith(run)) sh(`ip netns delete ${line.split(' ')[0]}`);
  if (!process.env.KEEP) rmSync(work, { recursive: true, force: true });
  else say(`kept: ${work}`);
}
process.exit(code);
