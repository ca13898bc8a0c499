// A stand-in for a page of JupyterLab: loads our extension, plays a scenario, prints what became of it as JSON.
// A fake of the page's commands and documents only: the real ones are met in tests/browser.
'use strict';

const [, , extension, scenario] = process.argv;
const told = [];
let now = Date.parse('2026-11-23T10:00:00Z');
let timers = [];
Date.now = () => now;
global.setTimeout = (act, ms) => {
  timers.push({ act, at: now + ms });
  return timers[timers.length - 1];
};
global.clearTimeout = timer => {
  timers = timers.filter(each => each !== timer);
};

const settle = () => new Promise(resolve => setImmediate(resolve));

async function pass(seconds) {
  const end = now + seconds * 1000;
  for (;;) {
    await settle();
    const [next] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
    if (!next) {
      break;
    }
    now = Math.max(now, next.at);
    clearTimeout(next);
    next.act();
  }
  now = end;
  await settle();
}

const documents = {};
function open(path, save = async () => undefined) {
  const context = { path, localPath: path, model: { dirty: true }, saves: [] };
  context.save = async () => {
    context.saves.push(Math.round(now / 1000));
    await save();
    context.model.dirty = false;
  };
  documents[path] = context;
}

let answer = { remaining_s: 3600, warn: false, warn_before_s: 300, home: '' };
let asked = 0;
let hasNotifications = true;
const signal = { connect: slot => (signal.slot = slot) };
let ids = 0;
const app = {
  restored: Promise.resolve(),
  commands: {
    hasCommand: () => true,
    execute: async (id, args) => {
      if (!hasNotifications) {
        throw new Error(`Command '${id}' not registered.`);
      }
      told.push({ command: id, ...args });
      return String(++ids);
    }
  },
  shell: { widgets: () => [{ context: undefined }, ...Object.values(documents).map(context => ({ context }))] },
  serviceManager: {
    serverSettings: { baseUrl: 'http://localhost/user/alice/', token: '' },
    events: { stream: signal }
  }
};
global.window = {};
global.document = { hidden: false, addEventListener: () => undefined };
global.console = { debug: () => undefined, warn: () => undefined, log: console.log };
global.fetch = async () => {
  asked += 1;
  if (answer === null) {
    throw new Error('unreachable');
  }
  return { ok: true, json: async () => answer };
};
process.on('unhandledRejection', error => {
  console.log(`unhandled: ${error}`);
  process.exit(1);
});

const send = event => signal.slot(null, { schema_id: 'urn:clusterhub:session', ...event });
const near = (remaining_s, save) => ({ remaining_s, warn: true, save });

const scenarios = {
  async saves() {
    open('dirty.ipynb');
    open('clean.ipynb');
    documents['clean.ipynb'].model.dirty = false;
    send(near(300, true));
    await pass(1);
    const first = documents['dirty.ipynb'].saves.length;
    documents['dirty.ipynb'].model.dirty = true;
    await pass(300);
    return { first, all: documents['dirty.ipynb'].saves.length, clean: documents['clean.ipynb'].saves.length };
  },
  async saves_at_each_moment() {
    const begin = now / 1000;
    open('typed-in.ipynb', async () => undefined);
    const type = () => (documents['typed-in.ipynb'].model.dirty = true);
    send(near(300, true));
    for (let second = 0; second < 300; second++) {
      await pass(1);
      type();
    }
    return { left: documents['typed-in.ipynb'].saves.map(at => begin + 300 - at) };
  },
  async names_what_fails() {
    for (const name of ['a.ipynb', 'b.ipynb', 'c.ipynb']) {
      open(name, async () => {
        throw new Error('No space left on device');
      });
    }
    open('stuck.ipynb', () => new Promise(() => undefined));
    send(near(300, true));
    await pass(20);
    return {};
  },
  async is_taken_back() {
    send(near(200, true));
    await pass(15);
    send({ remaining_s: 3600, warn: false, save: false });
    await pass(600);
    return {};
  },
  async the_server_is_away() {
    answer = null;
    await pass(1);
    send(near(30, true));
    await pass(60);
    return {};
  },
  async a_page_without_notifications() {
    hasNotifications = false;
    open('dirty.ipynb');
    send(near(30, true));
    await pass(60);
    return { saved: documents['dirty.ipynb'].saves.length };
  },
  async the_home_is_full() {
    await pass(40);
    answer = { ...answer, home: '' };
    await pass(40);
    return {};
  },
  async operators_say_something() {
    const messages = [{ id: 'a', text: `Please save.${' It is cold.'.repeat(40)}` }];
    send({ remaining_s: 3600, warn: false, save: false, messages });
    await pass(5);
    send({ remaining_s: 3600, warn: false, save: false, messages });
    await pass(5);
    send({ remaining_s: 3600, warn: false, save: false, messages: [] });
    await pass(5);
    return {};
  },
  async events_are_lost() {
    await pass(3300);
    answer = { ...answer, remaining_s: 295, warn: true };
    await pass(20);
    return {};
  }
};

(async () => {
  if (scenario === 'the_home_is_full') {
    answer = { ...answer, home: 'Your home directory is full.' };
  }
  require(extension);
  const module = (await window._JUPYTERLAB['clusterhub-session'].get('./extension'))();
  module.default.activate(app);
  await settle();
  const result = await scenarios[scenario]();
  console.log(JSON.stringify({ ...result, told, asked }));
  process.exit(0);
})();
