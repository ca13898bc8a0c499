// "Tell me when it is ready": a notification by the browser, asked for by a click and never otherwise.

/** The button and what it stands for; `key` names what is waited for, so that a reload does not forget it. */
export class Telling {
  constructor(button, refused, key) {
    this.button = button;
    this.refused = refused;
    this.key = `clusterhub-tell ${key}`;
    // Browsers have this for pages only that nobody on the way can have changed.
    button.hidden = !(window.isSecureContext && "Notification" in window);
    this.show(!button.hidden && sessionStorage.getItem(this.key) !== null && Notification.permission === "granted");
    button.addEventListener("click", () => this.toggle());
  }

  show(wanted) {
    this.wanted = wanted;
    this.button.setAttribute("aria-pressed", String(wanted));
  }

  async toggle() {
    if (this.wanted) {
      this.forget();
      return;
    }
    const allowed = (await Notification.requestPermission()) === "granted";
    this.refused.hidden = allowed;
    this.show(allowed);
    if (allowed) {
      sessionStorage.setItem(this.key, "yes");
    }
  }

  forget() {
    this.show(false);
    sessionStorage.removeItem(this.key);
  }

  /** Tells it if that is wanted and nobody looks; resolves when somebody looks, or does not have to. */
  async tell(title, body) {
    const wanted = this.wanted;
    this.forget();
    if (!wanted || !document.hidden) {
      return;
    }
    const seen = new Promise((resolve) => {
      document.addEventListener("visibilitychange", () => document.hidden || resolve());
    });
    try {
      const notification = new Notification(title, { body, tag: this.key });
      notification.addEventListener("click", () => {
        window.focus();
        notification.close();
      });
    } catch {
      // Browsers of telephones show them through service workers only.
      return;
    }
    await seen;
  }
}
