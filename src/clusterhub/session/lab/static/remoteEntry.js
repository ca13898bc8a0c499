// An extension of JupyterLab 4 and Notebook 7, written as the module that their page loads: no build step. It
// needs nothing but the page's commands and open documents. The session's server (session/server.py) says
// how long the session lasts: when it is asked, and by an event while the end is near.
(() => {
  'use strict';

  const NAME = 'clusterhub-session';
  const EVENT = 'urn:clusterhub:session';
  const SAVES = [60, 20]; // seconds before the end; the server has the same, for pages that sleep
  const TICK = 10000; // ms between two updates of the warning's words
  const HOME_AGAIN = 15000; // ms until a home directory that was full is looked at again
  const SHOWN = 2; // names of documents in a warning
  const MESSAGE = 140; // characters of a notification that JupyterLab shows
  const LONGEST_TIMER = 86400000; // ms; a timer of 25 days would end at once

  function inWords(seconds) {
    if (seconds < 10) {
      return 'now';
    }
    if (seconds < 90) {
      return `in ${10 * Math.round(seconds / 10)} seconds`;
    }
    return `in ${Math.round(seconds / 60)} minutes`;
  }

  /** One notification that is shown, changed and taken away again; one step after the other. */
  class Notice {
    constructor(app) {
      this.app = app;
      this.id = '';
      this.told = '';
      this.steps = Promise.resolve();
    }

    get shown() {
      return this.told !== '';
    }

    /** Shows this message from now on; `anew` also to somebody who has closed it. */
    show(message, type, anew = false, actions = []) {
      if (message === this.told && !anew) {
        return;
      }
      this.told = message;
      this.steps = this.steps.then(async () => {
        if (this.id && !anew) {
          await this.run('update-notification', { id: this.id, message, type, autoClose: false });
          return;
        }
        const former = this.id;
        const offered = actions.filter(({ commandId }) => this.app.commands.hasCommand(commandId));
        this.id = await this.run('notify', { message, type, options: { autoClose: false, actions: offered } });
        await this.dismiss(former);
      });
    }

    hide() {
      this.told = '';
      this.steps = this.steps.then(async () => {
        const former = this.id;
        this.id = '';
        await this.dismiss(former);
      });
    }

    async dismiss(id) {
      if (id) {
        await this.run('dismiss-notification', { id });
      }
    }

    /** The command's outcome; nothing where the page has no notifications. */
    async run(command, args) {
      try {
        return (await this.app.commands.execute(`apputils:${command}`, args)) || '';
      } catch (error) {
        console.debug(`${NAME}: ${error}`);
        return '';
      }
    }
  }

  class Session {
    constructor(app) {
      this.app = app;
      this.ends = null; // ms, by this browser's clock
      this.warns = false;
      this.unsaved = [];
      this.saved = Infinity; // seconds before the end at which documents were saved last
      this.warning = new Notice(app);
      this.home = new Notice(app);
      this.messages = new Map(); // notices of what operators say, by the messages' ids
      this.timers = {};
    }

    later(name, ms, act) {
      clearTimeout(this.timers[name]);
      this.timers[name] = setTimeout(act, Math.min(ms, LONGEST_TIMER));
    }

    remaining() {
      return this.ends === null ? Infinity : Math.max(0, (this.ends - Date.now()) / 1000);
    }

    /** Asks the server. Where it does not answer, what is known goes on to hold: that is not the person's concern. */
    async ask() {
      const { serverSettings } = this.app.serviceManager;
      try {
        const headers = serverSettings.token ? { Authorization: `token ${serverSettings.token}` } : {};
        const url = new URL('clusterhub/session', serverSettings.baseUrl);
        const answer = await fetch(url, { headers, credentials: 'same-origin', cache: 'no-store' });
        if (!answer.ok) {
          return;
        }
        const model = await answer.json();
        this.learn(model);
        if (model.remaining_s !== null && !model.warn) {
          this.later('lead', (model.remaining_s - model.warn_before_s + 5) * 1000, () => this.ask());
        }
        this.learnHome(model.home);
        this.learnMessages(model.messages);
      } catch (error) {
        console.debug(`${NAME}: ${error}`);
      }
    }

    learnHome(problem) {
      if (!problem) {
        if (this.home.shown) {
          const message = 'There is room in your home directory again: what you save is kept.';
          this.home.run('notify', { message, type: 'success', options: { autoClose: 10000 } });
        }
        this.home.hide();
        return;
      }
      this.home.show(problem, 'error', false, [{ label: 'Open a terminal', commandId: 'terminal:create-new' }]);
      const again = () => (document.hidden ? this.later('home', HOME_AGAIN, again) : this.ask());
      this.later('home', HOME_AGAIN, again);
    }

    /** Shows each message once; one that was taken back is taken away. */
    learnMessages(messages) {
      const told = new Map((messages || []).map(({ id, text }) => [id, text]));
      for (const [id, notice] of this.messages) {
        if (!told.has(id)) {
          notice.hide();
          this.messages.delete(id);
        }
      }
      for (const [id, text] of told) {
        if (!this.messages.has(id)) {
          const notice = new Notice(this.app);
          this.messages.set(id, notice);
          const said = `Your operators: ${text}`;
          const rest = ' … More on the hub\'s home page.';
          notice.show(said.length > MESSAGE ? said.slice(0, MESSAGE - rest.length) + rest : said, 'warning');
        }
      }
    }

    learn({ remaining_s: remaining, warn, save }) {
      this.ends = remaining === null ? null : Date.now() + remaining * 1000;
      if (!warn) {
        clearTimeout(this.timers.tick);
        if (this.warns) {
          this.warning.hide();
        }
        this.warns = false;
        this.saved = Infinity;
        return;
      }
      const begins = !this.warns;
      this.warns = true;
      this.tick(begins || Boolean(save));
    }

    /** Says how long there still is, and saves when it is time to. */
    async tick(save = false) {
      const remaining = this.remaining();
      const due = SAVES.filter(moment => remaining <= moment && moment < this.saved);
      this.later('tick', TICK, () => this.tick());
      if (due.length || save) {
        this.saved = Math.min(this.saved, ...due);
        this.unsaved = await this.save();
      }
      if (this.warns) {
        this.render(due.length > 0);
      }
    }

    render(anew) {
      const clock = new Date(this.ends).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
      const end = `Your session ends ${inWords(this.remaining())}, at ${clock}`;
      if (this.unsaved.length) {
        const more = this.unsaved.length > SHOWN ? ` and ${this.unsaved.length - SHOWN} more` : '';
        const names = this.unsaved.slice(0, SHOWN).join(', ') + more;
        this.warning.show(`${end}. Could not be saved: ${names}. Make room, or copy what you need.`, 'error', anew);
      } else {
        const rest = 'Open documents are saved; what kernels and terminals hold is lost then.';
        this.warning.show(`${end}. ${rest}`, 'warning', anew);
      }
    }

    /** Saves every open document that has changes; returns the names of those that could not be saved. */
    async save() {
      const contexts = new Set();
      for (const widget of this.app.shell.widgets('main')) {
        if (widget.context && widget.context.model && widget.context.model.dirty) {
          contexts.add(widget.context);
        }
      }
      const failed = [];
      await Promise.all(
        Array.from(contexts, async context => {
          try {
            await Promise.race([
              context.save(),
              // Of a document that was changed elsewhere, too, its person is asked which to keep.
              new Promise((_, reject) => setTimeout(() => reject(new Error('no answer')), 8000))
            ]);
          } catch (error) {
            console.warn(`${NAME}: ${context.path}: ${error}`);
            failed.push(context.localPath || context.path);
          }
        })
      );
      return failed.sort();
    }
  }

  const plugin = {
    id: `${NAME}:plugin`,
    description: 'Says when the session ends, and saves what is open before.',
    autoStart: true,
    activate: app => {
      const session = new Session(app);
      const { events } = app.serviceManager;
      if (events) {
        events.stream.connect((_, event) => {
          if (event.schema_id === EVENT) {
            session.learn(event);
            session.learnMessages(event.messages);
          }
        });
      }
      document.addEventListener('visibilitychange', () => {
        if (!document.hidden) {
          session.ask();
        }
      });
      app.restored.then(() => session.ask());
    }
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init: () => undefined,
    get: async () => () => ({ __esModule: true, default: plugin })
  };
})();
